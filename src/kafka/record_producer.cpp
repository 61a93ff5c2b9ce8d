#include "kafka/record_producer.hpp"

#include <librdkafka/rdkafka.h>

#include "core/codes.hpp"
#include "core/thread_name.hpp"

namespace soma::kafka {
namespace {

constexpr int reports_polled_ms = 100;
constexpr std::size_t batch_overhead_bytes = 4096;

}  // namespace

result<std::unique_ptr<record_producer>> record_producer::make(const client_settings& settings,
                                                               options how) {
  std::unique_ptr<record_producer> made(new record_producer(std::move(how)));
  const auto& o = made->how_;
  const own_options own = {
      {"enable.idempotence", "true"},
      {"acks", "all"},
      {"max.in.flight.requests.per.connection", "5"},
      {"linger.ms", "0"},
      {"message.timeout.ms", std::to_string(o.deliver_within.count())},
      {"message.max.bytes", std::to_string(o.record_bytes_max + batch_overhead_bytes)},
      // The owner bounds what is in flight, at less.
      {"queue.buffering.max.messages", "1000000"},
      {"queue.buffering.max.kbytes", "1048576"},
      {"delivery.report.only.error", "true"},
  };
  client_calls calls;
  calls.opaque = made.get();
  calls.failed = [](void* opaque, const char* why) {
    static_cast<record_producer*>(opaque)->fail(why);
  };
  calls.not_delivered = [](void* opaque, std::int32_t partition, std::uint64_t tag,
                           const char* why) {
    static_cast<record_producer*>(opaque)->not_delivered(partition, tag, why);
  };
  auto client = make_client(client_kind::producer, settings, own, calls);
  if (!client) return client.error();
  made->client_ = std::move(*client);
  made->topic_.reset(rd_kafka_topic_new(made->client_.get(), o.topic.c_str(), nullptr));
  if (!made->topic_) return error(codes::dependency_unavailable, "Kafka takes no such topic", 1);
  made->reports_ = std::thread([one = made.get()] {
    name_this_thread("kafka_reports");
    while (!one->ending_) rd_kafka_poll(one->client_.get(), reports_polled_ms);
  });
  return made;
}

record_producer::~record_producer() {
  ending_ = failed_ = true;
  if (reports_.joinable()) reports_.join();
}

// Never by an exception: it is called from C.
void record_producer::fail(const char* why) {
  if (failed_.exchange(true)) return;
  try {
    how_.failed(why);
  } catch (...) {
  }
}

void record_producer::not_delivered(std::int32_t partition, std::uint64_t tag, const char* why) {
  if (ending_ || failed_ || partition < 0 || !how_.not_delivered) return;
  try {
    how_.not_delivered(static_cast<std::uint32_t>(partition), tag, why);
  } catch (...) {
  }
}

bool record_producer::send(std::uint32_t partition, std::string_view bytes, std::uint64_t tag) {
  if (failed_) return false;
  const auto to = static_cast<std::int32_t>(partition);
  const int done =
      rd_kafka_produce(topic_.get(), to, RD_KAFKA_MSG_F_COPY, const_cast<char*>(bytes.data()),
                       bytes.size(), nullptr, 0, reinterpret_cast<void*>(tag));
  if (done == 0) return true;
  // Too much waits to be sent, or brokers do not know the topic just now.
  const auto why = rd_kafka_last_error();
  if (why == RD_KAFKA_RESP_ERR__FATAL)
    fail(rd_kafka_err2name(why));
  else
    not_delivered(to, tag, rd_kafka_err2name(why));
  return false;
}

}  // namespace soma::kafka
