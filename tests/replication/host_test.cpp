// The host over mock brokers: what goes wrong in one partition stays there, nothing that waits
// keeps the end of a lease from being told, and a log is lost only after it was looked at.
#include <condition_variable>
#include <future>
#include <thread>
#include <utility>

#include "mock_kafka.hpp"
#include "replication/atom_body.hpp"
#include "replication/replica_host.hpp"
#include "storage/event_log_contract.hpp"
#include "support/forwarding_log.hpp"

using namespace soma;
using namespace soma::cluster;
using namespace soma::replication;
using namespace soma::storage::testing;
using namespace std::chrono_literals;
using soma::testing::mock_kafka;

namespace {

constexpr int partitions = 2;

// Applies as the store does, unless it is told to have no room, or to wait.
class gated_store final : public soma::testing::forwarding_log<storage::replica_store> {
 public:
  explicit gated_store(storage::replica_store& inner) : forwarding_log(inner) {}

  result<std::uint64_t> apply(const storage::judged_write& what) override {
    const int partition = what.place.first.back();
    if (partition == full_in) return error(codes::storage_full, "no room");
    {
      std::unique_lock lock(mutex_);
      opened_.wait(lock, [&] { return partition != held_in_; });
    }
    return inner_.apply(what);
  }
  void hold(int partition) {
    {
      const std::lock_guard lock(mutex_);
      held_in_ = partition;
    }
    opened_.notify_all();
  }
  std::optional<error> refuses_writes() const override { return std::nullopt; }
  std::size_t event_bytes_max() const override { return inner_.event_bytes_max(); }
  result<std::optional<std::uint64_t>> head_seq(const session_key& key) override {
    return inner_.head_seq(key);
  }
  result<std::optional<std::uint64_t>> staged_seq(const session_key& key) const override {
    return inner_.staged_seq(key);
  }
  result<std::optional<std::string>> row(std::string_view key) const override {
    return inner_.row(key);
  }
  result<std::vector<std::pair<std::string, std::string>>> rows(
      std::string_view prefix, std::size_t limit, std::string_view after) const override {
    return inner_.rows(prefix, limit, after);
  }

  std::atomic<int> full_in = -1;

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  int held_in_ = -1;
};

struct site {
  site(const mock_kafka& kafka, std::string topic, std::string name,
       std::optional<std::uint32_t> rank, doubt_rules doubts = {},
       const std::string& asks_topics_every_ms = "300000") {
    storage::store_options options;
    options.data_dir = folder / "data";
    options.min_free_bytes = 0;
    options.on_fatal = [](const error& why) { FAIL("the store failed: ", why.detail); };
    inner = storage::open_rocksdb_replica_store(options).value();
    store = std::make_unique<gated_store>(*inner);
    how.client.brokers = kafka.address();
    how.client.options = {{"topic.metadata.refresh.interval.ms", asks_topics_every_ms}};
    how.topic = std::move(topic);
    how.partitions = partitions;
    how.node = std::move(name);
    how.rank = rank;
    how.rules.lease_ms = 500;
    how.rules.commit_timeout_ms = 2'000;
    how.rules.reclaim_ms = 300;
    how.doubts = doubts;
    how.checks_topic = false;
    open();
  }
  ~site() {
    store->hold(-1);
    host.reset();
  }
  void open() {
    auto made = replica_host::open(how, *store, 10s);
    REQUIRE_MESSAGE(made, (made ? std::string() : made.error().detail));
    host = std::move(*made);
  }
  partition_view look(std::uint32_t p) const { return host->look(p); }

  // A document that a partition brings, and what became of it.
  std::future<append_outcome> put(std::uint32_t p, const std::string& key) {
    auto said = std::make_shared<std::promise<append_outcome>>();
    auto waits = said->get_future();
    atom one;
    one.documents.push_back({"c", key, {}, "v"});
    if (p != documents_partition) one.body = encode_carried(std::exchange(one, {}));
    if (host->submit(p, std::move(one), [said](append_answer a) { said->set_value(a.what); }) !=
        admission::taken)
      said->set_value(append_outcome::not_written);
    return waits;
  }
  bool puts(std::uint32_t p, const std::string& key) {
    auto said = put(p, key);
    return said.wait_for(10s) == std::future_status::ready && said.get() == append_outcome::written;
  }

  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  std::unique_ptr<storage::replica_store> inner;
  std::unique_ptr<gated_store> store;
  host_settings how;
  std::unique_ptr<replica_host> host;
};

template <class Condition>
bool soon(Condition condition, std::chrono::milliseconds at_most = 15s) {
  for (const auto end = std::chrono::steady_clock::now() + at_most; !condition();) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

bool acts_in_all(const site& s) {
  for (std::uint32_t p = 0; p < partitions; ++p)
    if (!s.look(p).may_act) return false;
  return true;
}

std::chrono::milliseconds took(const std::function<void()>& what) {
  const auto began = std::chrono::steady_clock::now();
  what();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               began);
}

}  // namespace

TEST_CASE("host: a partition without a leader holds no other back, and claims anew alone") {
  mock_kafka kafka(2);
  kafka.make_topic("log", partitions);
  kafka.lead("log", 0, 1);
  kafka.lead("log", 1, 2);
  site a(kafka, "log", "a", 0);
  REQUIRE(soon([&] { return acts_in_all(a); }));
  REQUIRE(a.puts(0, "first"));
  REQUIRE(a.puts(1, "first"));
  const auto epochs = std::pair(a.look(0).epoch, a.look(1).epoch);
  kafka.down(2);
  auto stuck = a.put(1, "stuck");
  // Longer than a delivery may take.
  int written = 0;
  const auto end = std::chrono::steady_clock::now() + 3500ms;
  for (; std::chrono::steady_clock::now() < end; ++written) {
    std::chrono::milliseconds one{};
    one = took([&] { REQUIRE(a.puts(0, "k" + std::to_string(written))); });
    CHECK(one < 1500ms);
  }
  CHECK(written > 20);
  CHECK(a.look(0).epoch == epochs.first);
  CHECK(a.look(0).may_act);
  CHECK_FALSE(a.look(1).may_act);
  CHECK(a.host->epoch_of(1) == 0);  // its claim is on its way
  kafka.up(2);
  REQUIRE(soon([&] { return a.look(1).may_act; }, 30s));
  CHECK(a.look(1).epoch > epochs.second);
  CHECK(a.puts(1, "again"));
  CHECK(stuck.wait_for(10s) == std::future_status::ready);
  CHECK(a.look(0).epoch == epochs.first);
}

TEST_CASE("host: brokers that deny their topic for a moment stop nothing") {
  mock_kafka kafka(1);
  kafka.make_topic("log", partitions);
  doubt_rules doubts;
  doubts.lost_after_ms = 60'000;
  doubts.looked_at_every_ms = 100;
  site a(kafka, "log", "a", 0, doubts, "100");
  REQUIRE(soon([&] { return acts_in_all(a); }));
  REQUIRE(a.puts(0, "first"));
  kafka.deny("log", true);
  std::this_thread::sleep_for(2s);
  CHECK_FALSE(acts_in_all(a));
  kafka.deny("log", false);
  REQUIRE(soon([&] { return acts_in_all(a); }, 30s));
  CHECK_FALSE(a.look(0).stopped);
  CHECK(a.puts(0, "second"));
  CHECK(a.puts(1, "second"));
}

TEST_CASE("host: a topic that stays away stops its partitions, and they say why") {
  mock_kafka kafka(1);
  kafka.make_topic("log", partitions);
  doubt_rules doubts;
  doubts.lost_after_ms = 1'000;
  doubts.looked_at_every_ms = 100;
  site a(kafka, "log", "a", 0, doubts);
  REQUIRE(soon([&] { return acts_in_all(a); }));
  REQUIRE(a.puts(0, "first"));
  a.host.reset();
  // Another log of this name, which is shorter than what was read.
  mock_kafka other(1);
  other.make_topic("log", partitions);
  a.how.client.brokers = other.address();
  a.open();
  for (std::uint32_t p = 0; p < partitions; ++p) {
    REQUIRE(soon([&] { return a.look(p).stopped.has_value(); }));
    CHECK(a.look(p).stopped->find("before the place") != std::string::npos);
  }
  CHECK_FALSE(a.puts(0, "second"));
}

TEST_CASE(
    "host: the end of a lease is told while the applying thread waits, and orders are taken") {
  mock_kafka kafka(1);
  kafka.make_topic("log", partitions);
  site a(kafka, "log", "a", 0);
  std::atomic<int> lapsed = 0, acts = 0;
  a.host->watch([&](const partition_view& seen) { ++(seen.may_act ? acts : lapsed); });
  REQUIRE(soon([&] { return acts_in_all(a); }));
  lapsed = acts = 0;
  a.store->hold(0);
  auto waits = a.put(0, "held");
  const auto told = took([&] { REQUIRE(soon([&] { return lapsed >= partitions; }, 3s)); });
  CHECK(told < 1500ms);
  for (std::uint32_t p = 0; p < partitions; ++p) CHECK_FALSE(a.look(p).may_act);
  const auto asked = took([&] {
    a.host->may_claim(0, 1);
    a.host->node_down("b");
    a.host->give_up(1, "b");
  });
  CHECK(asked < 50ms);
  a.store->hold(-1);
  CHECK(waits.wait_for(10s) == std::future_status::ready);
  // The lease that begins anew is told, too.
  REQUIRE(soon([&] { return a.look(0).may_act; }));
  CHECK(acts > 0);
}

TEST_CASE("host: a record for which there is no room waits aside, and nothing else for it") {
  mock_kafka kafka(1);
  kafka.make_topic("log", partitions);
  site a(kafka, "log", "a", 0);
  site b(kafka, "log", "b", std::nullopt);
  REQUIRE(soon([&] { return acts_in_all(a); }));
  REQUIRE(a.puts(0, "first"));
  b.store->full_in = 0;
  for (int n = 0; n < 20; ++n) {
    REQUIRE(a.puts(0, "k" + std::to_string(n)));
    REQUIRE(a.puts(1, "k" + std::to_string(n)));
  }
  // The other partition is followed, and read there.
  REQUIRE(soon([&] { return b.look(1).next >= a.look(1).next; }));
  CHECK(b.look(0).next < a.look(0).next);
  // An owner without room falls silent there, and another claims; in the other partition it stays.
  a.store->full_in = 0;
  (void)a.put(0, "last");
  REQUIRE(soon([&] { return !a.look(0).may_act; }));
  b.store->full_in = -1;
  b.host->may_claim(0, 0);
  REQUIRE(soon([&] { return b.look(0).owned_here; }));
  CHECK(b.store->get_document("c", "k19")->has_value());
  CHECK(soon([&] { return a.look(1).may_act; }));
  a.store->full_in = -1;
  REQUIRE(b.puts(0, "of b"));
  REQUIRE(soon([&] { return a.look(0).owner == "b"; }));
  REQUIRE(soon([&] { return a.host->digest(0) == b.host->digest(0); }));
  CHECK(a.store->get_document("c", "of b")->has_value());
}

TEST_CASE("host: a partition is released once nothing runs in it, else its lease runs out") {
  mock_kafka kafka(1);
  kafka.make_topic("log", partitions);
  site a(kafka, "log", "a", 0), b(kafka, "log", "b", std::nullopt);
  std::atomic<bool> rests = false;
  a.host->rests([&](std::uint32_t) { return rests.load(); });
  std::atomic<int> releases = 0;
  b.host->watch([&](const partition_view& seen) { releases += seen.released; });
  REQUIRE(soon([&] { return acts_in_all(a); }));
  a.host->give_up(0, "b");
  REQUIRE(soon([&] { return !a.look(0).may_act; }));
  std::this_thread::sleep_for(350ms);
  CHECK(a.look(0).owned_here);
  CHECK(releases == 0);
  rests = true;
  REQUIRE(soon([&] { return b.look(0).released; }));
  b.host->may_claim(0, 0);
  REQUIRE(soon([&] { return b.look(0).may_act; }));

  rests = false;
  b.host->may_claim(1, 1);
  a.host->may_claim(1, std::nullopt);
  releases = 0;
  const auto silent = took([&] {
    a.host->give_up(1, "b");
    REQUIRE(soon([&] { return b.look(1).owned_here; }));
  });
  CHECK(silent > 900ms);
  CHECK(releases == 0);
  CHECK_FALSE(a.look(1).may_act);
}

TEST_CASE("host: what is on its way in all partitions together has a bound") {
  mock_kafka kafka(1);
  kafka.make_topic("log", partitions);
  site a(kafka, "log", "a", 0);
  a.host.reset();
  a.how.flight_bytes_max = 2'000;
  a.open();
  REQUIRE(soon([&] { return acts_in_all(a); }));
  kafka.down(1);
  const auto taken = [&](std::uint32_t p) {
    atom one;
    one.documents.push_back({"c", "k", {}, std::string(700, 'v')});
    return a.host->submit(p, std::move(one), [](const append_answer&) {});
  };
  admission last = admission::taken;
  int count = 0;
  for (; last == admission::taken && count < 20; ++count)
    last = taken(static_cast<std::uint32_t>(count % 2));
  CHECK(last == admission::full);
  CHECK(count < 6);
  kafka.up(1);
  CHECK(soon([&] { return taken(0) == admission::taken; }));
}
