#include "kafka/client.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/codes.hpp"
#include "observability/log.hpp"

namespace soma::kafka {
namespace {

// What decides on loss, order and place is not for settings; secrets are not for plain texts.
constexpr std::array ours = {
    "bootstrap.servers", "metadata.broker.list", "client.id", "group.id", "group.instance.id",
    "partition.assignment.strategy", "enable.idempotence", "acks", "request.required.acks",
    "max.in.flight", "max.in.flight.requests.per.connection", "message.timeout.ms",
    "delivery.timeout.ms", "enable.gapless.guarantee", "transactional.id", "auto.offset.reset",
    "isolation.level", "enable.auto.commit", "enable.auto.offset.store", "check.crcs",
    "enable.partition.eof", "allow.auto.create.topics", "message.max.bytes",
    // Another order would make void what is behind.
    "queuing.strategy",
    // Bounded by whoever writes, who is told nothing of what is dropped.
    "queue.buffering.max.messages", "queue.buffering.max.kbytes",
    // A batch is as large as its one record may be, as it is.
    "compression.codec", "compression.type", "compression.level", "sasl.password", "sasl.username",
    "sasl.oauthbearer.client.secret", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password",
    "retries", "message.send.max.retries", "plugin.library.paths"};

// The text that librdkafka fills in; its words may have a value in them, so they are not passed on.
struct why_text {
  char bytes[512] = {};
};

struct conf_deleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using conf_handle = std::unique_ptr<rd_kafka_conf_t, conf_deleter>;

result<void> set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  why_text why;
  switch (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.bytes, sizeof why.bytes)) {
    case RD_KAFKA_CONF_OK: return {};
    case RD_KAFKA_CONF_UNKNOWN:
      return error(codes::config_invalid, "kafka.options: librdkafka knows no option " + name);
    default:
      return error(codes::config_invalid,
                   "kafka.options: librdkafka does not take this value of " + name);
  }
}

// Never by an exception: it is called from C.
void on_log(const rd_kafka_t*, int level, const char* what, const char* text) {
  constexpr int warning = 4;
  if (level > warning) return;
  try {
    log(log_level::warn, "kafka.client", {{"part", what}, {"what", text}});
  } catch (...) {
  }
}

void on_error(rd_kafka_t* client, int code, const char* reason, void* opaque) {
  const auto* calls = static_cast<const client_calls*>(opaque);
  if (!calls) return;
  if (code != RD_KAFKA_RESP_ERR__FATAL && calls->troubled)
    calls->troubled(calls->opaque, rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(code)));
  if (code != RD_KAFKA_RESP_ERR__FATAL || !calls->failed) return;
  why_text why;
  rd_kafka_fatal_error(client, why.bytes, sizeof why.bytes);
  calls->failed(calls->opaque, why.bytes[0] ? why.bytes : reason);
}

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* of, void* opaque) {
  const auto* calls = static_cast<const client_calls*>(opaque);
  if (!calls) return;
  const char* why = of->err == RD_KAFKA_RESP_ERR_NO_ERROR ? nullptr : rd_kafka_err2name(of->err);
  if (why && calls->not_delivered)
    calls->not_delivered(calls->opaque, of->partition,
                         reinterpret_cast<std::uintptr_t>(of->_private), why);
  if (calls->settled) calls->settled(calls->opaque, of->_private, why);
}

void on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t code,
                  rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  const auto* calls = static_cast<const client_calls*>(opaque);
  calls->rebalanced(calls->opaque, client, code, partitions);
}

}  // namespace

void client_deleter::operator()(rd_kafka_s* client) const {
  auto* calls = static_cast<client_calls*>(rd_kafka_opaque(client));
  if (rd_kafka_type(client) == RD_KAFKA_PRODUCER)
    rd_kafka_purge(
        client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
  rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  delete calls;
}

void topic_deleter::operator()(rd_kafka_topic_s* topic) const {
  rd_kafka_topic_destroy(topic);
}

void queue_deleter::operator()(rd_kafka_queue_s* queue) const {
  rd_kafka_queue_destroy(queue);
}

result<std::vector<std::pair<std::string, std::string>>> parse_options(
    const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> out;
  const conf_handle conf(rd_kafka_conf_new());
  for (const auto& text : texts) {
    const auto equals = text.find('=');
    if (equals == text.npos || equals == 0)
      return error(codes::config_invalid, "kafka.options: an option is written name=value");
    std::string name = text.substr(0, equals), value = text.substr(equals + 1);
    if (std::find(ours.begin(), ours.end(), std::string_view(name)) != ours.end())
      return error(codes::config_invalid, "kafka.options: " + name + " is not for this setting");
    if (auto done = set(conf.get(), name, value); !done) return done.error();
    out.emplace_back(std::move(name), std::move(value));
  }
  return out;
}

result<client_handle> make_client(client_kind kind, const client_settings& settings,
                                  const own_options& own, const client_calls& calls) {
  conf_handle conf(rd_kafka_conf_new());
  // Brokers that come back are found soon: by default a client would wait up to ten seconds more.
  own_options all = {{"reconnect.backoff.ms", "50"}, {"reconnect.backoff.max.ms", "1000"}};
  all.insert(all.end(), settings.options.begin(), settings.options.end());
  all.emplace_back("bootstrap.servers", settings.brokers);
  all.emplace_back("client.id", settings.client_id);
  all.emplace_back("allow.auto.create.topics", "false");
  if (!settings.sasl_username.empty()) all.emplace_back("sasl.username", settings.sasl_username);
  for (const auto& one : own) all.push_back(one);
  for (const auto& [name, value] : all)
    if (auto done = set(conf.get(), name, value); !done) return done.error();
  const auto secret = [&](const char* name, const secret_string& value) -> result<void> {
    if (value.empty()) return {};
    return set(conf.get(), name, std::string(value.reveal()));
  };
  if (auto done = secret("sasl.password", settings.sasl_password); !done) return done.error();
  if (auto done = secret("ssl.key.password", settings.ssl_key_password); !done) return done.error();
  auto kept = std::make_unique<client_calls>(calls);
  rd_kafka_conf_set_opaque(conf.get(), kept.get());
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  const bool produces = kind == client_kind::producer;
  if (produces) rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
  if (calls.rebalanced) rd_kafka_conf_set_rebalance_cb(conf.get(), on_rebalance);
  why_text why;  // may have a value in it
  rd_kafka_t* made = rd_kafka_new(produces ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf.get(),
                                  why.bytes, sizeof why.bytes);
  if (!made)
    return error(codes::config_invalid,
                 std::string("kafka.options: librdkafka cannot begin with these (files that they "
                             "name, or one beside another): ") +
                     rd_kafka_err2name(rd_kafka_last_error()));
  (void)conf.release();  // it is the client's now
  (void)kept.release();
  return client_handle(made);
}

}  // namespace soma::kafka
