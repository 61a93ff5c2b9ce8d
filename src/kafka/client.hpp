// What all clients of Kafka's brokers here have in common: where these are, and the settings of
// librdkafka, of which those that decide what is lost or doubled are ours alone. librdkafka stays
// behind this folder's headers. Thread-safe; values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/secret.hpp"

struct rd_kafka_s;
struct rd_kafka_topic_s;
struct rd_kafka_queue_s;
struct rd_kafka_conf_s;
struct rd_kafka_topic_partition_list_s;

namespace soma::kafka {

struct client_settings {
  std::string brokers;  // host:port, with commas between
  std::string client_id = "soma";
  // Passed on by librdkafka's names (security.protocol, ssl.ca.location, sasl.mechanisms …).
  std::vector<std::pair<std::string, std::string>> options{};
  std::string sasl_username{};
  secret_string sasl_password{}, ssl_key_password{};
};

// "name=value" texts as settings have them. Errors: config.invalid: no name, one that is ours to
// set, one that librdkafka does not know, or a value that it does not take; never names a value.
result<std::vector<std::pair<std::string, std::string>>> parse_options(
    const std::vector<std::string>& texts);

struct client_deleter {
  void operator()(rd_kafka_s* client) const;  // what waits to be sent is dropped
};
using client_handle = std::unique_ptr<rd_kafka_s, client_deleter>;
struct topic_deleter {
  void operator()(rd_kafka_topic_s* topic) const;
};
using topic_handle = std::unique_ptr<rd_kafka_topic_s, topic_deleter>;
struct queue_deleter {
  void operator()(rd_kafka_queue_s* queue) const;
};
using queue_handle = std::unique_ptr<rd_kafka_queue_s, queue_deleter>;

enum class client_kind { producer, consumer };
using own_options = std::vector<std::pair<std::string, std::string>>;
// Called on librdkafka's poll of this client, with `opaque`. `failed`: what is fatal to it.
// `not_delivered`: a record to `partition`, which was sent with the number `tag`.
struct client_calls {
  void* opaque = nullptr;
  void (*failed)(void* opaque, const char* why) = nullptr;
  void (*not_delivered)(void* opaque, std::int32_t partition, std::uint64_t tag,
                        const char* why) = nullptr;
  // Of each record: what it was sent with, and why it is not there; null: it is.
  void (*settled)(void* opaque, void* of_record, const char* why) = nullptr;
  // Of a group's member, which answers by rd_kafka_assign; `code` as librdkafka has it.
  void (*rebalanced)(void* opaque, rd_kafka_s* client, int code,
                     rd_kafka_topic_partition_list_s* partitions) = nullptr;
  void (*troubled)(void* opaque, const char* why) = nullptr;  // by what passes: no broker is there
};
// Errors: config.invalid (a setting), dependency.unavailable.
result<client_handle> make_client(client_kind kind, const client_settings& settings,
                                  const own_options& own, const client_calls& calls = {});

}  // namespace soma::kafka
