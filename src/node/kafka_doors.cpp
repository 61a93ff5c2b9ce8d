#include "node/kafka_doors.hpp"

#include <algorithm>
#include <array>

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "node/web_server.hpp"
#include "outbound/audit_envelope.hpp"
#include "peers/node_links.hpp"

namespace soma {
namespace {

constexpr std::string_view inbound_topic = "conversation.inbound", audit_topic = "audit.events";
constexpr std::array known_doors = {inbound_topic, audit_topic};
constexpr std::int64_t hour_ms = 3'600'000;

bool is_named(const config& settings, std::string_view door) {
  const auto& named = settings.list("kafka.doors");
  return std::find(named.begin(), named.end(), door) != named.end();
}

error wrong(const char* key, const std::string& why) {
  return error(codes::config_invalid, std::string(key) + ": " + why);
}

result<kafka::client_settings> door_client_of(const config& settings) {
  auto client = kafka_client_of(settings);
  if (!client) return client;
  if (const auto& brokers = settings.text("kafka.door_brokers"); !brokers.empty())
    client->brokers = brokers;
  return client;
}

// What a member of a group is called, so that it has its partitions back at once when it comes
// again, rather than once the one before is held for dead.
std::string member_of(const config& settings, const secret_string& server_key) {
  const auto& node = settings.text("cluster.node");
  return !node.empty() ? node : peers::secret_fingerprint(server_key.reveal(), "member of a group");
}

inbound::door_options inbound_options_of(const config& settings, kafka::client_settings client,
                                         std::string member) {
  const auto size = [&](const char* key) { return static_cast<std::size_t>(settings.number(key)); };
  inbound::door_options how;
  how.client = std::move(client);
  how.rules.topic = topic_of(settings, inbound_topic);
  how.rules.tenants = settings.list("inbound.tenants");
  how.rules.record_bytes_max = size("inbound.record_bytes_max");
  how.group = how.rules.topic;
  how.member = std::move(member);
  how.flow.begun_max = size("inbound.in_flight_max");
  how.partitions = static_cast<std::uint32_t>(settings.number("inbound.partitions"));
  how.kept_ms = settings.number("inbound.kept_h") * hour_ms;
  how.single_broker = settings.flag("cluster.unsafe_single_broker");
  how.retry_ms_max = settings.number("inbound.retry_ms_max");
  how.give_up_ms = settings.number("inbound.give_up_s") * 1000;
  return how;
}

outbound::audit_topic_options audit_options_of(const config& settings,
                                               kafka::client_settings client,
                                               const security::audit_log& audit,
                                               app::door_board& board) {
  outbound::audit_topic_options how;
  how.client = std::move(client);
  how.topic.name = topic_of(settings, audit_topic);
  how.topic.partitions = static_cast<std::uint32_t>(settings.number("kafka.audit_partitions"));
  how.topic.record_bytes_max = outbound::audit_record_bytes_max;
  how.topic.single_broker = settings.flag("cluster.unsafe_single_broker");
  how.topic.kept_ms = settings.number("kafka.audit_kept_h") * hour_ms;
  how.folder = audit.folder();
  boost::system::error_code ec;
  const auto head = boost::json::parse(audit.head(), ec);
  if (!ec && head.is_object()) how.chain = text_of(head.get_object(), "chain");
  how.place_file = settings.text("storage.data_dir") + "/audit.events.place";
  how.show = [&board, name = how.topic.name](const outbound::audit_topic_state& now) {
    app::door_state state;
    state.trouble = now.trouble;
    state.figures = {{"audit_waiting", now.waiting},
                     {"audit_lag_s", now.lag_s},
                     {"audit_sent", now.sent},
                     {"audit_left_out", now.left_out}};
    board.put(name, std::move(state));
  };
  return how;
}

}  // namespace

result<kafka::client_settings> kafka_client_of(const config& settings) {
  kafka::client_settings client;
  client.brokers = settings.text("kafka.brokers");
  client.client_id = "soma";
  if (const auto& node = settings.text("cluster.node"); !node.empty())
    client.client_id += "-" + node;
  auto options = kafka::parse_options(settings.list("kafka.options"));
  if (!options) return options.error();
  client.options = std::move(*options);
  client.sasl_username = settings.text("kafka.sasl_username");
  client.sasl_password = settings.secret("kafka.sasl_password");
  client.ssl_key_password = settings.secret("kafka.ssl_key_password");
  return client;
}

std::string topic_of(const config& settings, std::string_view name) {
  const auto& cluster = settings.text("cluster.name");
  return (cluster.empty() ? "" : cluster + ".") + std::string(name);
}

result<void> check_doors(const config& settings) {
  const auto& named = settings.list("kafka.doors");
  for (const auto& one : named)
    if (std::find(known_doors.begin(), known_doors.end(), one) == known_doors.end())
      return wrong("kafka.doors", "there is no door " + one);
  if (named.empty()) return {};
  if (settings.text("kafka.brokers").empty() && settings.text("kafka.door_brokers").empty())
    return wrong("kafka.doors", "doors need kafka.brokers or kafka.door_brokers");
  if (is_named(settings, inbound_topic) && settings.list("inbound.tenants").empty())
    return wrong("inbound.tenants", "records have to be some tenant's");
  return {};
}

const app::door_board* kafka_doors::board() const {
  return settings_.list("kafka.doors").empty() ? nullptr : &board_;
}

result<void> kafka_doors::start(web_server& web, const security::audit_log& audit,
                                node_cluster* cluster) {
  if (!board()) return {};
  auto client = door_client_of(settings_);
  if (!client) return client.error();
  if (is_named(settings_, audit_topic)) {
    auto how = audit_options_of(settings_, *client, audit, board_);
    if (how.folder.empty() || how.chain.empty())
      return wrong("kafka.doors", "audit.events needs an audit that is a chain");
    audit_ = outbound::audit_topic::start(std::move(how));
  }
  if (!is_named(settings_, inbound_topic)) return {};
  const auto io = web.io_contexts();
  if (cluster) relay_ = std::make_unique<record_relay>(*cluster, io);
  inbound_ = inbound::inbound_door::start(
      {web.services(), board_, io, relay_.get()},
      inbound_options_of(settings_, std::move(*client), member_of(settings_, server_key_)));
  return {};
}

void kafka_doors::take_no_more() {
  if (inbound_) inbound_->stop();
}

void kafka_doors::let_go() {
  if (relay_) relay_->stop();
}

void kafka_doors::stop() {
  inbound_.reset();
  audit_.reset();
}

}  // namespace soma
