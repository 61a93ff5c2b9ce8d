// What is sent is read in its order from any place; what cannot be
// delivered is told; a place that the log does not have halts the reading of its partition.
#include <atomic>
#include <mutex>
#include <thread>

#include "kafka/log_consumer.hpp"
#include "kafka/record_producer.hpp"
#include "kafka/topics.hpp"
#include "kafka_store.hpp"

using namespace soma;
using namespace soma::kafka;
using namespace std::chrono_literals;

namespace {

client_settings here() {
  client_settings settings;
  settings.brokers = storage::testing::test_brokers();
  return settings;
}

std::string made_topic(std::uint32_t partitions) {
  const log_topic topic{"producer." + new_uuid(), partitions, 1u << 20, true};
  REQUIRE(ensure_topic(here(), topic, 20s));
  return topic.name;
}

record_producer::options to(const std::string& topic, std::atomic<int>& failures,
                            std::chrono::milliseconds within = 10s) {
  record_producer::options how;
  how.topic = topic;
  how.record_bytes_max = 1u << 20;
  how.deliver_within = within;
  how.failed = [&failures](const std::string&) { ++failures; };
  how.not_delivered = [&failures](std::uint32_t, std::uint64_t, std::string_view) { ++failures; };
  return how;
}

template <class Until>
bool polled(log_consumer& from, const log_consumer::taker& take, Until until) {
  for (const auto end = std::chrono::steady_clock::now() + 20s; !until();) {
    from.poll(20ms, 64, take);
    if (std::chrono::steady_clock::now() > end) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("kafka: records come in their order, from any place, and their end is told") {
  const auto topic = made_topic(2);
  std::atomic<int> failures = 0;
  auto writer = record_producer::make(here(), to(topic, failures)).value();
  for (int n = 0; n < 300; ++n) REQUIRE(writer->send(n % 2, "r" + std::to_string(n)));
  for (const std::int64_t from : {0, 100, 150}) {
    auto reader = log_consumer::make(here(), {topic, 1u << 20}).value();
    REQUIRE(reader->begin(1, from));
    std::int64_t next = from;
    bool ended = false;
    const auto take = [&](const read_from_log& one) {
      CHECK(one.partition == 1);
      if (one.what == read_from_log::kind::record) {
        CHECK(one.offset == next);
        CHECK(one.bytes == "r" + std::to_string(2 * next + 1));
        ++next;
      } else {
        CHECK(one.what == read_from_log::kind::at_end);
        ended = one.offset == 150;
      }
    };
    REQUIRE(polled(*reader, take, [&] { return ended && next == 150; }));
    CHECK(reader->known_end(1) == 150);
    CHECK(reader->look(1, 5s) == seen_log{seen_log::answer::its_ends, 0, 150});
    CHECK(reader->look(7, 5s) == seen_log{seen_log::answer::no_log});
  }
  CHECK(failures == 0);
}

TEST_CASE(
    "kafka: a place behind the log's end is a halt with a reason, not a jump, and can be begun "
    "again") {
  const auto topic = made_topic(1);
  std::atomic<int> failures = 0;
  auto writer = record_producer::make(here(), to(topic, failures)).value();
  REQUIRE(writer->send(0, "one"));
  auto reader = log_consumer::make(here(), {topic, 1u << 20}).value();
  REQUIRE(reader->begin(0, 57));
  std::string why;
  std::string read;
  const auto take = [&](const read_from_log& one) {
    if (one.what == read_from_log::kind::halted) why = one.why;
    if (one.what == read_from_log::kind::record) read = one.bytes;
  };
  REQUIRE(polled(*reader, take, [&] { return !why.empty(); }));
  CHECK(read.empty());
  REQUIRE(reader->begin(0, 0));
  REQUIRE(polled(*reader, take, [&] { return !read.empty(); }));
  CHECK(read == "one");
}

TEST_CASE("kafka: what cannot be delivered is told with its number, and the producer goes on") {
  std::atomic<int> failures = 0;
  std::mutex mutex;
  std::vector<std::uint64_t> tags;
  auto nowhere = here();
  nowhere.brokers = "127.0.0.1:1";
  auto how = to("t", failures, 500ms);
  how.not_delivered = [&](std::uint32_t partition, std::uint64_t tag, std::string_view) {
    const std::lock_guard lock(mutex);
    CHECK(partition == 3);
    tags.push_back(tag);
  };
  auto writer = record_producer::make(nowhere, std::move(how)).value();
  CHECK(writer->send(3, "lost", 7));
  CHECK(writer->send(3, "lost, too", 8));
  const auto told = [&] {
    const std::lock_guard lock(mutex);
    return tags.size();
  };
  for (int n = 0; n < 200 && told() < 2; ++n) std::this_thread::sleep_for(50ms);
  CHECK(tags == std::vector<std::uint64_t>{7, 8});
  CHECK(writer->send(3, "as before", 9));
  writer.reset();
  CHECK(failures == 0);
}
