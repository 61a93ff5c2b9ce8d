// A session's head that is damaged is made anew of its events, which are sealed.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "core/codes.hpp"
#include "core/event.hpp"
#include "sealing/repair_values.hpp"
#include "sealing/sealed_event_log.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::storage;
namespace fs = std::filesystem;

namespace {

const session_key hers{tenant_id("ann"), session_id("s")};

struct world {
  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  const std::string keys_folder = folder / "keys";

  result<std::unique_ptr<security::tenant_keys>> keys(char wrap = 'w') const {
    return security::tenant_keys::open({keys_folder, {secret_string(std::string(32, wrap))}, true});
  }
  static std::unique_ptr<event_log> store_in(const std::string& data_dir) {
    store_options options;
    options.data_dir = data_dir;
    options.min_free_bytes = 0;
    options.unsafe_no_fsync = true;
    options.on_fatal = [](const error&) {};
    return open_rocksdb_event_log(options).value();
  }

  // A session that she shares, and whose head says so.
  void fill() const {
    const auto inner = store_in(folder / "original");
    const auto made = keys().value();
    sealing::sealed_event_log log(*inner, *made);
    append_op op;
    op.key = hers;
    event e;
    e.meta = {{log.epoch(), 1}, hers, "ann", "", "", "", 1'700'000'000'000};
    e.body = body::session_open{"", "Her title", "", ""};
    op.events.push_back({1, e.type(), encode(e)});
    e.meta.id.seq = 2;
    e.body = body::message_user{"m", "t", "what she said", {}};
    op.events.push_back({2, e.type(), encode(e)});
    e.meta.id.seq = 3;
    e.body = body::session_state{false, "Her title", sharing{false, {"bob"}}};
    op.events.push_back({3, e.type(), encode(e)});
    op.info = session_info{};
    op.info->title = "Her title";
    op.info->user_id = "ann";
    op.info->sharing = {false, {"bob"}};
    op.info->created_at_ms = op.info->updated_at_ms = 1'700'000'000'000;
    op.info->message_count = 1;
    REQUIRE(log.commit({&op, 1}).front());
  }

  // Each a copy of the store with one table that does not open.
  template <class Look>
  void each_damaged_copy(Look look) const {
    world::store_in(folder / "original").reset();  // what is in the log goes to tables
    const auto copy = folder / "copy";
    for (const auto& one : fs::directory_iterator(folder / "original/store")) {
      if (one.path().extension() != ".sst") continue;
      fs::remove_all(copy);
      fs::copy(folder / "original", copy, fs::copy_options::recursive);
      std::ofstream(fs::path(copy) / "store" / one.path().filename(), std::ios::binary) << "broken";
      look(copy);
    }
  }
};

}  // namespace

TEST_CASE("repair: a head that is made of sealed events has its owner, sharing, counts and title") {
  const world w;
  w.fill();
  int made_anew = 0;
  w.each_damaged_copy([&](const std::string& copy) {
    sealing::repair_values sealed([&] { return w.keys(); });
    const auto report = repair_store(copy, &sealed);
    if (!report || report->heads_made == 0) return;
    ++made_anew;
    const auto inner = world::store_in(copy);
    const auto keys = w.keys().value();
    CHECK(security::is_sealed(inner->head(hers)->info.title));
    const sealing::sealed_event_log log(*inner, *keys);
    const auto head = log.head(hers).value();
    CHECK(head.info.title == "Her title");
    CHECK(head.info.user_id == "ann");
    CHECK(head.info.sharing == sharing{false, {"bob"}});
    CHECK(head.info.created_at_ms == 1'700'000'000'000);
    CHECK(head.info.message_count == 1);
    CHECK(log.read(hers, {})->events.size() == 3);
  });
  CHECK(made_anew == 1);
}

TEST_CASE("repair: without the key nothing is changed, and an erased tenant is in nobody's way") {
  const world w;
  w.fill();
  int refused = 0;
  w.each_damaged_copy([&](const std::string& copy) {
    sealing::repair_values other([&] { return w.keys('x'); });
    const auto report = repair_store(copy, &other);
    refused += !report && report.error().code == codes::secret_key_wrong;
  });
  CHECK(refused == 1);
  REQUIRE(w.keys().value()->erase(hers.tenant, 1).value());
  int made_anew = 0;
  w.each_damaged_copy([&](const std::string& copy) {
    sealing::repair_values sealed([&] { return w.keys(); });
    const auto report = repair_store(copy, &sealed);
    made_anew += report && report->heads_made == 1;
  });
  CHECK(made_anew == 1);
}
