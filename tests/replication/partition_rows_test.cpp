// The rows of a partition tell what the facts in memory tell, whatever atoms come, over a closing
// of the store, and another partition's are never among them.
#include "replication/partition_rows.hpp"

#include <doctest/doctest.h>

#include <random>

#include "cluster/fact_table.hpp"
#include "core/codes.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::cluster;
using namespace soma::replication;

namespace {

storage::store_options options_of(const std::string& folder) {
  storage::store_options o;
  o.data_dir = folder;
  o.min_free_bytes = 0;
  o.unsafe_no_fsync = true;
  return o;
}

session_key key_of(unsigned n) {
  return {tenant_id("t"), session_id("s" + std::to_string(n))};
}

struct world {
  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  std::unique_ptr<storage::replica_store> store =
      storage::open_rocksdb_replica_store(options_of(folder / "data")).value();
};

}  // namespace

TEST_CASE("partition rows: they say what the facts in memory say") {
  world w;
  std::mt19937 random(7);
  const auto any = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  fact_table facts;
  partition_state state;
  state.partition = 3;
  state.epoch = 1;
  partition_state written;
  for (log_offset offset = 0; offset < 400; ++offset) {
    const partition_rows rows(*w.store, 3);
    state.next = offset + 1;
    state.time_ms += any(1000);
    atom one;
    one.session = key_of(any(6));
    const auto head = facts.head(one.session).value();
    CHECK(rows.head(one.session)->seq == head.seq);
    CHECK(rows.head(one.session)->gone == head.gone);
    if (head.gone) continue;
    one.events = 1 + any(2);
    one.removes = any(40) == 0;
    one.keys.push_back({"k" + std::to_string(any(10)), 1});
    one.documents.push_back({"c", "d" + std::to_string(any(10)), {}, {}});
    if (any(2)) one.documents.back().value = "v";
    one.source = source_tag{any(3), offset, any(5)};
    judgement judged;
    judged.seq = head.seq + one.events;
    storage::append_op op;
    op.key = one.session;
    op.expected_seq = head.seq;
    op.remove = one.removes;
    for (auto seq = head.seq + 1; seq <= judged.seq; ++seq)
      op.events.push_back({seq, event_type::app_event, "{}"});
    storage::judged_write write;
    write.epoch = 1;
    write.append = &op;
    write.rows = rows.changes(state, offset, one, judged).value();
    write.place = rows.place(state);
    REQUIRE(w.store->apply(write).value() == judged.seq);
    facts.carry_out(state, offset, one, judged);
    for (unsigned n = 0; n < 10; ++n) {
      const auto key = "k" + std::to_string(n), document = "d" + std::to_string(n);
      CHECK(rows.key(key).value() == facts.key(key).value());
      CHECK(rows.version("c", document).value() == facts.version("c", document).value());
    }
    for (unsigned source = 0; source < 3; ++source)
      CHECK(rows.last_of(source).value() == facts.last_of(source).value());
    CHECK(rows.state().value() == state);
    written = state;
  }
  const partition_rows other(*w.store, 4);
  CHECK(other.state().value() == partition_state{});
  CHECK_FALSE(other.key("k1").value());
  CHECK_FALSE(other.version("c", "d1").value());
  w.store.reset();
  w.store = storage::open_rocksdb_replica_store(options_of(w.folder / "data")).value();
  CHECK(partition_rows(*w.store, 3).state().value() == written);
}

TEST_CASE("partition rows: old keys go, and only they") {
  world w;
  const partition_rows rows(*w.store, 0);
  partition_state state;
  const auto use = [&](std::int64_t time_ms, const std::string& key) {
    state.time_ms = time_ms;
    atom one;
    one.keys.push_back({key, 1});
    storage::judged_write write;
    write.rows = rows.changes(state, time_ms, one, {}).value();
    write.place = rows.place(state);
    REQUIRE(w.store->apply(write));
  };
  for (int n = 0; n < 6; ++n) use(n, "old" + std::to_string(n));
  use(10, "old5");  // used anew
  CHECK(w.store->rows("k", 100)->size() == 6);
  use(keys_kept_ms + 5, "young");
  use(keys_kept_ms + 5, "younger");
  CHECK_FALSE(rows.key("old0").value());
  CHECK_FALSE(rows.key("old4").value());
  CHECK(rows.key("old5").value());
  CHECK(rows.key("young").value());
  CHECK(w.store->rows("a", 100)->size() == 3);  // of old5's second use, and the young
}

TEST_CASE("replica store: what its rules refuse changes nothing but the place") {
  world w;
  storage::append_op op;
  op.key = key_of(1);
  op.expected_seq = 5;
  op.events = {{6, event_type::app_event, "{}"}};
  op.outbox = {{"sink", "row"}};
  storage::judged_write write;
  write.append = &op;
  write.rows = {{"r", "1"}};
  write.place = {"p", "here"};
  CHECK(w.store->apply(write).error().code == codes::session_head_mismatch);
  CHECK(w.store->row("p").value() == "here");
  CHECK_FALSE(w.store->row("r").value());
  CHECK(w.store->stats().outbox_rows == 0);
  const storage::staged_events hole{key_of(2), {{2, event_type::app_event, "{}"}}};
  storage::judged_write stage;
  stage.staged = &hole;
  stage.place = {"p", "there"};
  CHECK(w.store->apply(stage).error().code == codes::session_not_found);
  CHECK(w.store->row("p").value() == "there");
}

TEST_CASE(
    "replica store: one that was a node's of a cluster is not opened by itself, nor the other "
    "way round") {
  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  const auto options = options_of(folder / "data");
  {
    auto own = storage::open_rocksdb_event_log(options).value();
    storage::append_op op;
    op.key = key_of(1);
    op.events = {{1, event_type::app_event, "{}"}};
    REQUIRE(own->commit({&op, 1}).front());
  }
  const auto refused = storage::open_rocksdb_replica_store(options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == codes::storage_format);
  const auto followed = options_of(folder / "followed");
  {
    auto store = storage::open_rocksdb_replica_store(followed).value();
    storage::judged_write write;
    write.place = {"p", "x"};
    REQUIRE(store->apply(write));
  }
  CHECK(storage::open_rocksdb_event_log(followed).error().code == codes::storage_format);
  CHECK(storage::open_rocksdb_replica_store(followed));
}
