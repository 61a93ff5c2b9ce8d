// Documents that several nodes write: they have one order, whoever owns which partition, and nobody
// undoes what another wrote.
#include <atomic>
#include <map>
#include <thread>

#include "cluster/placement.hpp"
#include "core/time.hpp"
#include "kafka_nodes.hpp"
#include "storage/node_rows.hpp"

using namespace soma;
using namespace soma::cluster;
using namespace soma::replication;
using namespace soma::storage::testing;
using namespace std::chrono_literals;

namespace {

using rows = std::vector<std::pair<std::string, std::string>>;

rows all_of(const node& n, std::string_view collection) {
  return n.log->list_documents(collection, "", 10'000, "").value();
}

// A session that is not in the partition of documents.
session_key elsewhere(int which = 0) {
  for (int n = 0;; ++n)
    if (const auto key = key_of("s" + std::to_string(n));
        partition_of(key, partitions) != documents_partition && which-- == 0)
      return key;
}

storage::append_op bringing(const session_key& key, std::uint64_t expected, rows documents) {
  auto op = append_of(key, expected);
  for (auto& [name, value] : documents) op.documents.push_back({"c", name, value});
  return op;
}

// Two nodes: the first owns the partition of documents, the second all others.
struct two_nodes {
  const std::string topic = "documents." + new_uuid();
  node a{"a", topic, 0};
  std::unique_ptr<node> b;

  two_nodes() {
    REQUIRE(soon([&] { return owns_all(a); }));
    b = std::make_unique<node>("b", topic, 1);
    for (std::uint32_t p = 0; p < partitions; ++p) {
      if (p == documents_partition) continue;
      a.host().give_up(p, "b");
      REQUIRE(soon([&] { return b->host().look(p).may_act; }));
    }
  }
};

}  // namespace

TEST_CASE("documents: what changes between the readings of version and value is not undone") {
  two_nodes all;
  auto& log = *all.a.log;
  REQUIRE(log.put_document("c", "k", "1"));
  bool once = true;
  log.between_readings([&] {
    if (std::exchange(once, false)) REQUIRE(log.put_document("c", "k", "2"));
  });
  storage::row_batch beside;  // as what is made of an item, which is only to be there
  beside.expected = {{"c", "k"}};
  beside.documents = {{"c", "made of k", "x"}};
  CHECK(log.write_rows(beside).value());
  CHECK(log.get_document("c", "k").value() == "2");
  CHECK(log.get_document("c", "made of k").value() == "x");
  // Who made his of what he read is refused, and not tried again with the same.
  once = true;
  log.between_readings([&] {
    if (std::exchange(once, false)) REQUIRE(log.put_document("c", "k", "4"));
  });
  storage::row_batch made;
  made.expected = {{"c", "k", "2"}};
  made.documents = {{"c", "k", "2 and more"}};
  CHECK_FALSE(log.write_rows(made).value());
  CHECK(log.get_document("c", "k").value() == "4");
  log.between_readings({});
}

TEST_CASE("documents: of two nodes that count in one, both count") {
  two_nodes all;
  REQUIRE(all.a.log->put_document("c", "count", "0"));
  REQUIRE(soon([&] { return all.b->log->get_document("c", "count").value() == "0"; }));
  constexpr int each = 20;
  const auto count = [](replicated_event_log& log) {
    for (int done = 0; done < each;) {
      storage::row_batch one;
      const auto seen = log.get_document("c", "count").value().value();
      one.expected = {{"c", "count", seen}};
      one.documents = {{"c", "count", std::to_string(std::stoi(seen) + 1)}};
      const auto written = log.write_rows(one);
      REQUIRE_MESSAGE(written, (written ? std::string() : written.error().detail));
      done += *written;
    }
  };
  std::thread other([&] { count(*all.b->log); });
  count(*all.a.log);
  other.join();
  REQUIRE(soon([&] { return as_far(all.a, *all.b); }));
  CHECK(all.a.log->get_document("c", "count").value() == std::to_string(2 * each));
  CHECK(all_of(all.a, "c") == all_of(*all.b, "c"));
}

TEST_CASE("documents: what a session brought and another deleted does not come back") {
  two_nodes all;
  auto& [topic, a, b] = all;
  const auto key = elsewhere();
  for (std::uint64_t n = 0; n < 30; ++n) {
    const auto name = key.session.value + "/" + std::to_string(n);
    REQUIRE(commit_one(*b->log, bringing(key, n, {{name, "first"}})));
    REQUIRE(soon([&] { return a.log->get_document("c", name).value().has_value(); }));
    if (n % 3 == 0) REQUIRE(a.log->delete_document("c", name));
    if (n % 3 == 1) REQUIRE(a.log->put_document("c", name, "changed"));
  }
  auto last = append_of(key, 30);  // a session's end, and what comes after it
  last.gone = {{"c", key.session.value + "/2"}};
  last.documents = {{"c", key.session.value + "/29", "again"}};
  REQUIRE(commit_one(*b->log, last));
  REQUIRE(soon([&] { return as_far(a, *b); }));
  REQUIRE(
      soon([&] { return a.log->get_document("c", key.session.value + "/29").value() == "again"; }));
  const auto there = all_of(a, "c");
  // Of twenty that were not deleted those of names like 2 and 20 to 29 went, and the last came
  // again.
  CHECK(there.size() == 20 - 8 + 1);
  CHECK_FALSE(a.log->get_document("c", key.session.value + "/0").value());
  CHECK(a.log->get_document("c", key.session.value + "/1").value() == "changed");
  // Nodes that read the logs from their beginning, in whatever order they come.
  for (int n = 0; n < 3; ++n) {
    node c("c" + std::to_string(n), topic, std::nullopt);
    REQUIRE(soon([&] { return as_far(a, c); }));
    CHECK(all_of(c, "c") == there);
  }
  REQUIRE(soon([&] { return as_far(a, *b); }));
  CHECK(all_of(*b, "c") == there);
}

TEST_CASE("documents: a node that owns some partition writes them, under conditions and keys") {
  two_nodes all;
  auto& [topic, a, b] = all;
  REQUIRE(b->log->put_document("c", "k", "by b"));
  CHECK(b->log->get_document("c", "k").value() == "by b");
  REQUIRE(soon([&] { return a.log->get_document("c", "k").value() == "by b"; }));
  storage::row_batch take;
  take.expected = {{"c", "k", "by b"}};
  take.deleted = {{"c", "k"}};
  take.outbox = {{"sink", "row"}};
  CHECK(b->log->write_rows(take).value());
  CHECK_FALSE(b->log->write_rows(take).value());
  CHECK_FALSE(b->log->get_document("c", "k").value());
  CHECK(b->log->read_outbox("sink", 0, 10)->rows.size() == 1);
  REQUIRE(soon([&] { return a.log->read_outbox("sink", 0, 10)->rows.size() == 1; }));
  const storage::idempotency_record record{"key", "hash", 200, "{}", now_ms()};
  const std::vector<storage::document_row> made{{"c", "once", "1"}};
  REQUIRE(b->log->put_idempotency(record, made));
  CHECK(b->log->find_idempotency("key").value()->request_hash == "hash");
  REQUIRE(soon([&] { return a.log->find_idempotency("key").value().has_value(); }));
  CHECK(b->log->put_idempotency(record, made).error().code == codes::idempotency_exists);
  CHECK(a.log->put_idempotency(record, made).error().code == codes::idempotency_exists);
  CHECK(a.log->keeps_documents());
  CHECK_FALSE(b->log->keeps_documents());
}

TEST_CASE("documents: what a node has for itself is in no log") {
  two_nodes all;
  auto& [topic, a, b] = all;
  REQUIRE(a.log->put_document(storage::node_collection, "tried", "a"));
  REQUIRE(b->log->put_document(storage::node_collection, "tried", "b"));
  storage::row_batch wal;
  wal.expected = {{std::string(storage::node_collection), "tried", "b"}};
  wal.documents = {{"memory.wal", "1", "put"}};
  CHECK(b->log->write_rows(wal).value());
  CHECK(a.log->get_document(storage::node_collection, "tried").value() == "a");
  CHECK_FALSE(a.log->get_document("memory.wal", "1").value());
  CHECK(b->log->get_document("memory.wal", "1").value() == "put");
  storage::row_batch mixed;
  mixed.documents = {{"memory.wal", "1", "put"}, {"c", "k", "v"}};
  CHECK(b->log->write_rows(mixed).error().code == codes::internal);
  node follower("f", topic, std::nullopt);  // owns nothing, and has its own all the same
  REQUIRE(follower.log->put_document(storage::node_collection, "tried", "f"));
  CHECK(follower.log->put_document("c", "k", "f").error().code == codes::cluster_not_owner);
}

TEST_CASE("documents: an owner that dies leaves the rest to the next, and nothing comes twice") {
  const auto topic = "documents." + new_uuid();
  auto a = std::make_unique<node>("a", topic, 0);
  REQUIRE(soon([&] { return owns_all(*a); }));
  node b("b", topic, 1);
  const auto key = elsewhere();
  // Its documents' owner goes while the session goes on at the other.
  const auto p = partition_of(key, partitions);
  a->host().give_up(p, "b");
  REQUIRE(soon([&] { return b.host().look(p).owned_here; }));
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> brought = 0;
  std::thread writer([&] {
    while (!stop) {
      const auto n = brought.load();
      const auto name = std::to_string(n);
      if (commit_one(*b.log, bringing(key, n, {{name, "v" + name}}))) ++brought;
    }
  });
  std::this_thread::sleep_for(300ms);
  a->log.reset();
  REQUIRE(soon([&] { return owns_all(b); }));
  std::this_thread::sleep_for(300ms);
  stop = true;
  writer.join();
  REQUIRE(brought > 20);
  REQUIRE(soon([&] { return all_of(b, "c").size() == brought; }));
  a->open(std::nullopt);
  REQUIRE(soon([&] { return as_far(*a, b); }));
  CHECK(all_of(*a, "c") == all_of(b, "c"));
  MESSAGE(brought.load() << " brought");
}
