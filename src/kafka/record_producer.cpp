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
      {"queue.buffering.max.messages", "1000000"},  // the owner bounds what is in flight
      {"delivery.report.only.error", "true"},
  };
  client_calls calls;
  calls.opaque = made.get();
  calls.failed = calls.not_delivered = [](void* opaque, const char* why) {
    static_cast<record_producer*>(opaque)->fail(why);
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

bool record_producer::send(std::uint32_t partition, std::string_view bytes) {
  if (failed_) return false;
  const int done =
      rd_kafka_produce(topic_.get(), static_cast<std::int32_t>(partition), RD_KAFKA_MSG_F_COPY,
                       const_cast<char*>(bytes.data()), bytes.size(), nullptr, 0, nullptr);
  if (done == 0) return true;
  fail(rd_kafka_err2name(rd_kafka_last_error()));
  return false;
}

}  // namespace soma::kafka
