// Nodes in one process over a real broker: what one writes all have, in the same order and with the
// same digests, whoever owns; who lost a partition writes nothing any more.
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "cluster/placement.hpp"
#include "core/time.hpp"
#include "kafka_nodes.hpp"

using namespace soma;
using namespace soma::cluster;
using namespace soma::replication;
using namespace soma::storage::testing;
using namespace std::chrono_literals;

namespace {

void same_history(node& a, node& b, const std::vector<session_key>& sessions) {
  for (const auto& key : sessions) {
    const auto of_a = page_of(*a.log, key, {.events_max = 100'000, .bytes_max = 1u << 30});
    const auto of_b = page_of(*b.log, key, {.events_max = 100'000, .bytes_max = 1u << 30});
    REQUIRE(of_a.events.size() == of_b.events.size());
    for (std::size_t n = 0; n < of_a.events.size(); ++n) {
      CHECK(of_a.events[n].id == of_b.events[n].id);
      CHECK(of_a.events[n].json == of_b.events[n].json);
    }
  }
}

std::vector<session_key> some_sessions(int count) {
  std::vector<session_key> all;
  for (int n = 0; n < count; ++n) all.push_back(key_of("s" + std::to_string(n)));
  return all;
}

}  // namespace

TEST_CASE("replicas: what the owner writes is applied by all, and told by all in one order") {
  const auto topic = "replicas." + new_uuid();
  node a("a", topic, 0);
  REQUIRE(soon([&] { return owns_all(a); }));
  node b("b", topic, std::nullopt);
  std::mutex mutex;
  std::map<std::string, std::vector<std::uint64_t>> told;
  b.log->on_applied([&](const storage::append_op& op, event_id last) {
    const std::lock_guard lock(mutex);
    told[op.key.session.value].push_back(last.seq);
  });
  const auto sessions = some_sessions(20);
  constexpr std::uint64_t each = 50;
  std::vector<std::promise<void>> done(each);
  for (std::uint64_t n = 0; n < each; ++n) {
    std::vector<storage::append_op> ops;
    for (const auto& key : sessions) ops.push_back(append_of(key, n));
    a.log->submit(std::move(ops), [&, n](std::vector<result<std::uint64_t>> results) {
      for (const auto& r : results) CHECK(r.value() == n + 1);
      done[n].set_value();
    });
  }
  for (auto& one : done) one.get_future().get();
  REQUIRE(a.log->put_document("c", "k", "v"));
  REQUIRE(soon([&] { return as_far(a, b); }));
  same_history(a, b, sessions);
  CHECK(b.log->get_document("c", "k").value() == "v");
  const std::lock_guard lock(mutex);
  for (const auto& key : sessions) {
    std::vector<std::uint64_t> all;
    for (std::uint64_t n = 1; n <= each; ++n) all.push_back(n);
    CHECK(told[key.session.value] == all);
  }
  // A follower writes nothing.
  CHECK(code_of(commit_one(*b.log, append_of(key_of("x"), 0))) == codes::cluster_not_owner);
  CHECK(b.log->put_document("c", "k", "w").error().code == codes::cluster_not_owner);
  CHECK(b.log->epoch_of(key_of("x")) == 0);
  CHECK(b.log->busy_sessions()->empty());
}

TEST_CASE("replicas: a partition that is given up is the other's, and its appends go on there") {
  const auto topic = "replicas." + new_uuid();
  node a("a", topic, 0);
  REQUIRE(soon([&] { return owns_all(a); }));
  node b("b", topic, 1);
  const auto key = key_of("s");
  const auto p = partition_of(key, partitions);
  REQUIRE(commit_one(*a.log, append_of(key, 0, 3)));
  const auto epoch = a.host().look(p).epoch;
  a.host().give_up(p, "b");
  REQUIRE(soon([&] { return b.host().look(p).owned_here; }));
  REQUIRE(soon([&] { return !a.host().look(p).owned_here; }));
  CHECK(code_of(commit_one(*a.log, append_of(key, 3))) == codes::cluster_not_owner);
  REQUIRE(commit_one(*b.log, append_of(key, 3, 2)).value() == 5);
  CHECK(b.log->head(key)->last_id() == event_id{epoch + 1, 5});
  CHECK(soon([&] { return b.host().look(p).may_act; }));
  // What was made under the older claim is refused, also where this node owns again.
  auto old = append_of(key, 5);
  old.epoch = epoch;
  CHECK(code_of(commit_one(*b.log, old)) == codes::cluster_owner_lost);
  REQUIRE(soon([&] { return as_far(a, b); }));
  same_history(a, b, {key});
}

TEST_CASE("replicas: a standby claims when the owner is gone, and what was acknowledged is there") {
  const auto topic = "replicas." + new_uuid();
  auto a = std::make_unique<node>("a", topic, 0);
  REQUIRE(soon([&] { return owns_all(*a); }));
  node b("b", topic, 1);
  const auto sessions = some_sessions(6);
  for (const auto& key : sessions) REQUIRE(commit_one(*a->log, append_of(key, 0, 2)));
  // Of a copy that was being made nothing is left to publish.
  const auto copy = key_of("copy");
  REQUIRE(a->log->stage(copy, std::vector{event_of(1), event_of(2)}));
  a->log.reset();
  REQUIRE(soon([&] { return owns_all(b); }));
  auto publish = append_of(copy, 2);
  publish.publish_staged = true;
  CHECK(code_of(commit_one(*b.log, publish)) == codes::session_not_found);
  for (const auto& key : sessions) REQUIRE(commit_one(*b.log, append_of(key, 2)).value() == 3);
  a->open(0);  // a is back, as a follower of b
  REQUIRE(soon([&] { return as_far(*a, b); }));
  same_history(*a, b, sessions);
  CHECK(owns_all(b));
  CHECK(code_of(commit_one(*a->log, append_of(sessions[0], 3))) == codes::cluster_not_owner);
}

TEST_CASE("replicas: of two that write one document by its presence one wins, and all agree") {
  const auto topic = "replicas." + new_uuid();
  node a("a", topic, 0);
  REQUIRE(soon([&] { return owns_all(a); }));
  REQUIRE(a.log->put_document("c", "k", "0"));
  std::atomic<int> wins = 0, losses = 0;
  std::vector<std::thread> all;
  for (int n = 0; n < 8; ++n)
    all.emplace_back([&] {
      storage::row_batch take;
      take.expected = {{"c", "k"}};
      take.deleted = {{"c", "k"}};
      const auto won = a.log->write_rows(take);
      REQUIRE(won);
      ++(*won ? wins : losses);
    });
  for (auto& one : all) one.join();
  CHECK(wins == 1);
  CHECK(losses == 7);
}

TEST_CASE("replicas: a key gives way when it is as old as its time to live, by the log's time") {
  const auto topic = "replicas." + new_uuid();
  node a("a", topic, 0);
  REQUIRE(soon([&] { return owns_all(a); }));
  storage::idempotency_record record{"key", "first", 200, "{}", 1};
  REQUIRE(a.log->put_idempotency(record, {}));
  record.ttl_ms = 300;
  record.request_hash = "second";
  CHECK(a.log->put_idempotency(record, {}).error().code == codes::idempotency_exists);
  std::this_thread::sleep_for(350ms);
  REQUIRE(a.log->put_idempotency(record, {}));
  CHECK(a.log->find_idempotency("key").value()->request_hash == "second");
  // The answer is as old as the log says, and goes no earlier than its key: not by what its
  // request said of the time, nor by a clock.
  const auto kept = a.log->find_idempotency("key").value()->created_at_ms;
  CHECK(kept > now_ms() - 60'000);
  CHECK(a.log->expire_idempotency(kept - 30'000, 100).value() == 0);
  CHECK(a.log->find_idempotency("key").value());
  CHECK(a.log->expire_idempotency(kept + 30'000, 100).value() == 2);
  CHECK_FALSE(a.log->find_idempotency("key").value());
}

TEST_CASE("replicas: another log under the same name stops the partition, and says so") {
  const auto topic = "replicas." + new_uuid();
  node a("a", topic, 0);
  REQUIRE(soon([&] { return owns_all(a); }));
  REQUIRE(commit_one(*a.log, append_of(key_of("s"), 0)));
  a.log.reset();
  // A second node founds another log; the first is given that one's topic.
  node other("b", "replicas." + new_uuid(), 0);
  REQUIRE(soon([&] { return owns_all(other); }));
  for (int n = 0; n < 30; ++n)
    for (const auto& key : some_sessions(9))
      REQUIRE(commit_one(*other.log, append_of(key, static_cast<std::uint64_t>(n))));
  auto how = host_of("a", other.topic, partitions);
  auto opened = replicated_event_log::open(replica_options(a.folder / "data"), how, 20s);
  REQUIRE(opened);
  for (std::uint32_t p = 0; p < partitions; ++p) {
    const auto seen = (*opened)->host().look(p);
    REQUIRE(seen.stopped);
    CHECK(seen.stopped->find("changelog.mismatch") != std::string::npos);
    CHECK_FALSE(seen.owned_here);
  }
  CHECK(code_of(commit_one(**opened, append_of(key_of("s"), 1))) == codes::cluster_not_owner);
  CHECK(owns_all(other));
}
