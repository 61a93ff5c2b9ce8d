#include "kafka/log_consumer.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <optional>

#include "core/codes.hpp"

namespace soma::kafka {
namespace {

// Of each partition. Small, as all are read at once; not smaller than a few records, since a full
// queue is left alone for a second by this version of librdkafka.
constexpr const char* queue_kbytes = "16384";
constexpr std::size_t batch_overhead_bytes = 4096;

struct message_deleter {
  void operator()(rd_kafka_message_t* m) const { rd_kafka_message_destroy(m); }
};
using message_handle = std::unique_ptr<rd_kafka_message_t, message_deleter>;

// Behind the second kind librdkafka reads nothing more of a partition, or would read on behind what
// it could not; all others (a broker that is away) it tries again by itself, and says nothing of.
std::optional<read_from_log::kind> kind_of(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: return read_from_log::kind::denied;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION: return read_from_log::kind::halted;
    default: return std::nullopt;
  }
}

void give(const rd_kafka_message_t& m, const log_consumer::taker& take) {
  read_from_log one;
  one.partition = static_cast<std::uint32_t>(m.partition);
  one.offset = m.offset;
  if (m.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    one.bytes = {static_cast<const char*>(m.payload), m.len};
    return take(one);
  }
  if (m.partition < 0) return;
  if (m.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    one.what = read_from_log::kind::at_end;
    return take(one);
  }
  const auto kind = kind_of(m.err);
  if (!kind) return;
  one.what = *kind;
  one.why = rd_kafka_err2str(m.err);
  take(one);
}

}  // namespace

result<std::unique_ptr<log_consumer>> log_consumer::make(const client_settings& settings,
                                                         options how) {
  std::unique_ptr<log_consumer> made(new log_consumer(std::move(how)));
  const auto record = made->how_.record_bytes_max + batch_overhead_bytes;
  const own_options own = {
      {"auto.offset.reset", "error"},
      {"isolation.level", "read_uncommitted"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"check.crcs", "true"},
      {"enable.partition.eof", "true"},
      {"fetch.error.backoff.ms", "50"},
      {"fetch.wait.max.ms", "100"},
      {"queued.max.messages.kbytes", queue_kbytes},
      {"max.partition.fetch.bytes", std::to_string(record)},
      {"message.max.bytes", std::to_string(record)},
  };
  auto client = make_client(client_kind::consumer, settings, own);
  if (!client) return client.error();
  made->client_ = std::move(*client);
  made->topic_.reset(rd_kafka_topic_new(made->client_.get(), made->how_.topic.c_str(), nullptr));
  made->queue_.reset(rd_kafka_queue_new(made->client_.get()));
  if (!made->topic_ || !made->queue_)
    return error(codes::dependency_unavailable, "Kafka's client cannot read the topic", 1);
  return made;
}

log_consumer::~log_consumer() {
  for (const auto partition : begun_)
    (void)rd_kafka_consume_stop(topic_.get(), static_cast<std::int32_t>(partition));
}

result<void> log_consumer::begin(std::uint32_t partition, std::int64_t offset) {
  halt(partition);
  if (rd_kafka_consume_start_queue(topic_.get(), static_cast<std::int32_t>(partition), offset,
                                   queue_.get()) != 0)
    return error(codes::dependency_unavailable,
                 std::string("Kafka's client cannot read a partition: ") +
                     rd_kafka_err2str(rd_kafka_last_error()),
                 1);
  begun_.insert(partition);
  return {};
}

// What its queue holds of before is dropped by librdkafka where it is taken.
void log_consumer::halt(std::uint32_t partition) {
  if (begun_.erase(partition) > 0)
    (void)rd_kafka_consume_stop(topic_.get(), static_cast<std::int32_t>(partition));
}

std::size_t log_consumer::poll(std::chrono::milliseconds wait, std::size_t most,
                               const taker& take) {
  (void)rd_kafka_poll(client_.get(), 0);
  // One at first: a batch would be waited for until it is full.
  const message_handle first(rd_kafka_consume_queue(queue_.get(), static_cast<int>(wait.count())));
  if (!first) return 0;
  give(*first, take);
  if (most <= 1) return 1;
  std::vector<rd_kafka_message_t*> more(most - 1);
  const auto got = rd_kafka_consume_batch_queue(queue_.get(), 0, more.data(), more.size());
  std::vector<message_handle> held;
  for (ssize_t n = 0; n < got; ++n) held.emplace_back(more[static_cast<std::size_t>(n)]);
  for (const auto& one : held) give(*one, take);
  return 1 + held.size();
}

std::int64_t log_consumer::known_end(std::uint32_t partition) const {
  std::int64_t low = 0, high = 0;
  const auto code = rd_kafka_get_watermark_offsets(
      client_.get(), how_.topic.c_str(), static_cast<std::int32_t>(partition), &low, &high);
  return code == RD_KAFKA_RESP_ERR_NO_ERROR ? std::max<std::int64_t>(high, 0) : 0;
}

seen_log log_consumer::look(std::uint32_t partition, std::chrono::milliseconds wait) const {
  using answer = seen_log::answer;
  const int wait_ms = static_cast<int>(wait.count());
  const rd_kafka_metadata_t* all = nullptr;
  if (rd_kafka_metadata(client_.get(), 0, topic_.get(), &all, wait_ms) !=
      RD_KAFKA_RESP_ERR_NO_ERROR)
    return {};
  const std::unique_ptr<const rd_kafka_metadata_t, void (*)(const rd_kafka_metadata_t*)> held(
      all, rd_kafka_metadata_destroy);
  if (all->topic_cnt != 1) return {};
  const auto& topic = all->topics[0];
  if (topic.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
      topic.err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
    return {answer::no_log};
  if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  const auto number = static_cast<std::int32_t>(partition);
  auto* const end = topic.partitions + topic.partition_cnt;
  const auto* found =
      std::find_if(topic.partitions, end, [&](const auto& one) { return one.id == number; });
  if (found == end) return {answer::no_log};
  if (found->leader < 0) return {};
  seen_log seen{answer::its_ends};
  const auto code = rd_kafka_query_watermark_offsets(client_.get(), how_.topic.c_str(), number,
                                                     &seen.first, &seen.end, wait_ms);
  return code == RD_KAFKA_RESP_ERR_NO_ERROR ? seen : seen_log{};
}

}  // namespace soma::kafka
