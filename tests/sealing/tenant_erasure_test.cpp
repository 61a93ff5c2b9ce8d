#include "node/tenant_erasure.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/codes.hpp"
#include "core/config.hpp"
#include "memory/item.hpp"
#include "node/secrets.hpp"
#include "sealing/sealed_event_log.hpp"
#include "storage/documents.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::storage;
namespace fs = std::filesystem;

namespace {

const tenant_id ann{"ann"}, bob{"bob"};

template <class T>
std::string_view code_of(const result<T>& r) {
  return r ? std::string_view() : r.error().code;
}

// A data folder in which both have a session with a title, a memory, and rows on their way.
struct world {
  soma::testing::temp_folder folder;
  const std::string data_dir = folder / "data";

  world() { write(true); }

  config settings(bool seals = true, std::string wrap = std::string(64, '1')) {
    config_sources from;
    from.flags = {{"storage.data_dir", data_dir},
                  {"storage.encrypt_events", seals ? "true" : "false"},
                  {"storage.min_free_bytes", "0"}};
    from.env = {{"GATEWAY_ENC_KEY", std::move(wrap)}};
    return load_config(from).value();
  }
  std::unique_ptr<event_log> open() {
    store_options options;
    options.data_dir = data_dir;
    options.min_free_bytes = 0;
    return open_rocksdb_event_log(options).value();
  }
  void write(bool seals, const std::string& session = "s") {
    fs::create_directories(data_dir);
    const auto inner = open();
    const auto keys = open_tenant_keys(settings(seals), *inner).value();
    sealing::sealed_event_log log(*inner, *keys);
    for (const auto& tenant : {ann, bob}) {
      append_op op;
      op.key = {tenant, session_id(session)};
      op.events.push_back({1, event_type::app_event, "{\"text\":\"said\"}"});
      op.info = session_info{};
      op.info->title = "a title";
      op.documents.push_back({"memory", tenant.value + '\n' + session + "\nid", "{}"});
      op.documents.push_back({"memory.follow", tenant.value, "{}"});
      for (const auto sink : {memory::outbox_sink, memory::brain_sink})
        op.outbox.push_back(memory::to_outbox({memory::change::kind::item, op.key, "id"}, sink));
      REQUIRE(log.commit({&op, 1}).front());
    }
  }
  std::string key_file(const tenant_id& tenant) {
    for (const auto& one : fs::directory_iterator(data_dir + "/tenant-keys"))
      if (text_of(one.path()).find('\n' + tenant.value + '\n') != std::string::npos)
        return one.path().string();
    return {};
  }
  static std::string text_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void replace(const std::string& path, std::string_view text) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }
};

}  // namespace

TEST_CASE("erasure: no tenant but one that there is, and the admin key's only when it is meant") {
  world w;
  const auto settings = w.settings();
  const auto before = w.text_of(w.key_file(ann));
  for (const auto* id : {"ann\ns", "", "-a", "a b", "nobody", "default"})
    CHECK(code_of(erase_tenant(settings, tenant_id(id), false)) == codes::config_invalid);
  CHECK(code_of(look_at_tenant(settings, tenant_id("default"), false)) == codes::config_invalid);
  const auto said = erase_tenant(settings, tenant_id("default"), true);
  REQUIRE_FALSE(said);
  CHECK(said.error().detail.find("there is no tenant") != std::string::npos);
  CHECK(w.text_of(w.key_file(ann)) == before);
  CHECK(look_at_tenant(settings, ann, false)->sessions == 1);
}

TEST_CASE("erasure: another's damaged key and another GATEWAY_ENC_KEY keep nobody from his") {
  world w;
  const auto wrapped = w.text_of(w.key_file(ann)), his = w.text_of(w.key_file(bob));
  const auto path = w.key_file(bob);
  w.replace(path, "damaged");
  fs::create_directories(w.data_dir + "/backup-under-way/part");
  const auto done = erase_tenant(w.settings(true, std::string(64, '2')), ann, false);
  REQUIRE(done);
  CHECK(done->had_key);
  CHECK(done->sessions == 1);
  CHECK(done->memories == 1);
  CHECK(done->outbox_rows == 2);
  CHECK(done->plain_events == 0);
  CHECK(done->plain_values == 0);
  CHECK(w.text_of(w.key_file(ann)).find("erased ") != std::string::npos);
  CHECK_FALSE(fs::exists(w.data_dir + "/backup-under-way"));
  w.replace(path, his);
  const auto log = w.open();
  for (const auto sink : {memory::outbox_sink, memory::brain_sink}) {
    const auto rows = log->read_outbox(sink, 0, 10).value().rows;
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].payload.find("bob") != std::string::npos);
  }
  CHECK(log->list_documents("memory", "", 10).value().size() == 1);
  CHECK_FALSE(log->get_document("memory.follow", "ann").value());
  CHECK(log->get_document("memory.follow", "bob").value());
  const auto keys = open_tenant_keys(w.settings(), *log).value();
  CHECK(sealing::sealed_event_log(*log, *keys).read({bob, session_id("s")}, {})->events[0].json ==
        "{\"text\":\"said\"}");
}

TEST_CASE("erasure: a store that does not open keeps no key, and the rest is done afterwards") {
  world w;
  const auto current = w.data_dir + "/store/CURRENT";
  const auto pointed = w.text_of(current);
  w.replace(current, "nowhere");
  CHECK_FALSE(erase_tenant(w.settings(), tenant_id("nobody"), false));
  CHECK(w.key_file(tenant_id("nobody")).empty());
  const auto failed = erase_tenant(w.settings(), ann, false);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().detail.find("its key is destroyed") != std::string::npos);
  CHECK(w.text_of(w.key_file(ann)).find("erased ") != std::string::npos);
  w.replace(current, pointed);
  const auto rest = erase_tenant(w.settings(), ann, false);
  REQUIRE(rest);
  CHECK(rest->had_key);
  CHECK(rest->memories == 1);
  CHECK(erase_tenant(w.settings(), ann, false)->memories == 0);
}

TEST_CASE(
    "erasure: all that was written in the clear is counted, and who never had a key is told") {
  world w;
  w.write(false, "plain");
  auto done = erase_tenant(w.settings(), ann, false);
  REQUIRE(done);
  CHECK(done->had_key);
  CHECK(done->plain_events == 1);
  CHECK(done->plain_values == 2);  // the title, the memory
  fs::remove_all(w.data_dir);
  w.write(false);
  for (int round = 0; round < 2; ++round) {
    done = erase_tenant(w.settings(false, ""), ann, false);
    if (round == 0) REQUIRE(done);
    if (done) CHECK_FALSE(done->had_key);
  }
}
