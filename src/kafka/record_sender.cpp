#include "kafka/record_sender.hpp"

#include <librdkafka/rdkafka.h>

#include "core/codes.hpp"
#include "core/thread_name.hpp"

namespace soma::kafka {
namespace {

constexpr int reports_polled_ms = 100;
constexpr std::size_t batch_overhead_bytes = 4096;

error not_taken(rd_kafka_resp_err_t code) {
  return error(codes::dependency_unavailable,
               std::string("Kafka's client does not take the record: ") + rd_kafka_err2name(code),
               1);
}

// Bytes that librdkafka copies, though it takes them as writable.
void* bytes_of(const std::optional<std::string_view>& text) {
  return text ? const_cast<char*>(text->data()) : nullptr;
}

}  // namespace

result<std::unique_ptr<record_sender>> record_sender::make(const client_settings& settings,
                                                           options how) {
  std::unique_ptr<record_sender> made(new record_sender(std::move(how)));
  const auto& o = made->how_;
  const own_options own = {
      {"enable.idempotence", "true"},
      {"acks", "all"},
      {"max.in.flight.requests.per.connection", "5"},
      {"linger.ms", "5"},
      {"partitioner", "murmur2_random"},  // as producers of others have it
      {"message.timeout.ms", std::to_string(o.deliver_within.count())},
      {"message.max.bytes", std::to_string(o.record_bytes_max + batch_overhead_bytes)},
      {"queue.buffering.max.messages", std::to_string(o.waiting_max)},
  };
  client_calls calls;
  calls.opaque = made.get();
  calls.failed = [](void* opaque, const char*) {
    static_cast<record_sender*>(opaque)->failed_ = true;
  };
  calls.settled = [](void* opaque, void* number, const char* why) {
    const auto& self = *static_cast<record_sender*>(opaque);
    try {  // never by an exception: it is called from C
      self.how_.settled(reinterpret_cast<std::uintptr_t>(number), why ? why : "");
    } catch (...) {
    }
  };
  auto client = make_client(client_kind::producer, settings, own, calls);
  if (!client) return client.error();
  made->client_ = std::move(*client);
  made->topic_.reset(rd_kafka_topic_new(made->client_.get(), o.topic.c_str(), nullptr));
  if (!made->topic_) return error(codes::dependency_unavailable, "Kafka takes no such topic", 1);
  made->reports_ = std::thread([one = made.get()] {
    name_this_thread("kafka_sent");
    while (!one->ending_) rd_kafka_poll(one->client_.get(), reports_polled_ms);
  });
  return made;
}

record_sender::~record_sender() {
  ending_ = failed_ = true;
  if (reports_.joinable()) reports_.join();
}

result<void> record_sender::send(std::uint64_t number, const sent_record& what) {
  if (failed_) return not_taken(RD_KAFKA_RESP_ERR__FATAL);
  rd_kafka_headers_t* headers = rd_kafka_headers_new(what.headers.size());
  for (const auto& [name, value] : what.headers)
    rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()),
                        value ? value->data() : nullptr,
                        value ? static_cast<ssize_t>(value->size()) : 0);
  const auto key = what.key.value_or(std::string_view());
  const auto value = what.value.value_or(std::string_view());
  const auto code = rd_kafka_producev(
      client_.get(), RD_KAFKA_V_RKT(topic_.get()), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(bytes_of(what.key), key.size()),
      RD_KAFKA_V_VALUE(bytes_of(what.value), value.size()), RD_KAFKA_V_HEADERS(headers),
      RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(static_cast<std::uintptr_t>(number))),
      RD_KAFKA_V_END);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};  // the headers are the record's now
  rd_kafka_headers_destroy(headers);
  return not_taken(code);
}

}  // namespace soma::kafka
