// Figures, asked for by `-ns -tc=figures*`: what an append costs through one broker, beside what
// the broker itself takes there and back, and beside the embedded store. Nothing is judged.
#include <algorithm>
#include <iostream>
#include <thread>

#include "kafka/topics.hpp"
#include "kafka_store.hpp"
#include "storage/event_log_contract.hpp"

using namespace soma;
using namespace soma::storage::testing;
using namespace std::chrono_literals;

namespace {

using clock_type = std::chrono::steady_clock;

double ms_since(clock_type::time_point begin) {
  return std::chrono::duration<double, std::milli>(clock_type::now() - begin).count();
}

void tell(const std::string& what, std::vector<double> all) {
  std::sort(all.begin(), all.end());
  const auto at = [&](double part) {
    return all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))];
  };
  std::cout << what << ": p50 " << at(0.5) << " ms, p99 " << at(0.99) << " ms\n";
}

void one_at_a_time(const std::string& name, storage::event_log& log) {
  std::vector<double> took;
  const auto key = key_of("alone");
  for (std::uint64_t n = 0; n < 2000; ++n) {
    auto op = append_of(key, n);
    op.events.front().json.resize(200, ' ');
    const auto begin = clock_type::now();
    REQUIRE(commit_one(log, op));
    took.push_back(ms_since(begin));
  }
  tell(name + ", one at a time", took);
}

// As the event writer does: whatever waits is handed over, by 64 who each wait for their own.
void by_many(const std::string& name, storage::event_log& log) {
  constexpr int writers = 64, each = 400;
  std::mutex mutex;
  std::vector<double> took;
  std::vector<std::thread> all;
  const auto begin = clock_type::now();
  if (log.answers_later()) {
    for (int w = 0; w < writers; ++w)
      all.emplace_back([&, w] {
        std::vector<double> mine;
        for (std::uint64_t n = 0; n < each; ++n) {
          auto op = append_of(key_of("w" + std::to_string(w)), n);
          op.events.front().json.resize(200, ' ');
          const auto since = clock_type::now();
          REQUIRE(commit_one(log, op));
          mine.push_back(ms_since(since));
        }
        const std::lock_guard lock(mutex);
        took.insert(took.end(), mine.begin(), mine.end());
      });
  } else {
    std::vector<std::uint64_t> heads(writers, 0);
    for (int n = 0; n < each; ++n) {  // one batch of all, as they would wait
      std::vector<storage::append_op> ops;
      for (int w = 0; w < writers; ++w) {
        ops.push_back(append_of(key_of("w" + std::to_string(w)), static_cast<std::uint64_t>(n)));
        ops.back().events.front().json.resize(200, ' ');
      }
      const auto since = clock_type::now();
      for (const auto& r : log.commit(ops)) REQUIRE(r);
      took.push_back(ms_since(since));
    }
  }
  for (auto& one : all) one.join();
  const auto seconds = ms_since(begin) / 1000;
  tell(name + ", 64 at once", took);
  std::cout << name << ": " << static_cast<int>(writers * each / seconds) << " appends/s\n";
}

void broker_alone() {
  kafka::client_settings settings;
  settings.brokers = test_brokers();
  const kafka::log_topic topic{"figures." + new_uuid(), 1, 1u << 20, true};
  REQUIRE(kafka::ensure_topic(settings, topic, 20s));
  kafka::record_producer::options how;
  how.topic = topic.name;
  how.record_bytes_max = 1u << 20;
  how.failed = [](const std::string& why) { FAIL(why); };
  auto writer = kafka::record_producer::make(settings, how).value();
  auto reader = kafka::log_consumer::make(settings, {topic.name, 1u << 20}).value();
  REQUIRE(reader->begin(0, 0));
  std::vector<double> took;
  const std::string record(300, 'x');
  for (std::int64_t n = 0; n < 2000; ++n) {
    const auto begin = clock_type::now();
    REQUIRE(writer->send(0, record));
    for (bool there = false; !there;)
      reader->poll(1000ms, 16, [&](const kafka::read_from_log& one) {
        there = there || (one.what == kafka::read_from_log::kind::record && one.offset == n);
      });
    took.push_back(ms_since(begin));
  }
  tell("broker, there and back", took);
}

}  // namespace

TEST_CASE("figures: appends through a broker, and embedded" * doctest::skip()) {
  broker_alone();
  {
    soma::testing::temp_folder folder;
    auto log = storage::open_rocksdb_event_log(replica_options(folder / "data")).value();
    one_at_a_time("embedded", *log);
    by_many("embedded", *log);
  }
  for (const std::uint32_t partitions : {1u, 8u}) {
    soma::testing::temp_folder folder;
    auto log = replication::replicated_event_log::open(
        replica_options(folder / "data"), host_of("a", "figures." + new_uuid(), partitions), 20s);
    REQUIRE(log);
    const auto name = "replicated, " + std::to_string(partitions) + " partitions";
    one_at_a_time(name, **log);
    by_many(name, **log);
  }
}
