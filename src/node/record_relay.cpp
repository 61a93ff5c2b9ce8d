#include "node/record_relay.hpp"

#include <boost/json.hpp>

#include "app/operations.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/uuid.hpp"
#include "http/net/problem.hpp"
#include "http/net/relayed_caller.hpp"
#include "security/digest.hpp"

namespace soma {
namespace {

constexpr int accepted = 202;

std::string body_of(const inbound::inbound_message& message) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("message", message.text).field_if("session_id", message.session);
  w.field_if("persona_id", message.persona_id);
  w.field("idempotency_key", message.idempotency_key);
  if (!message.attachments.empty()) {
    w.key("attachments").begin_array();
    for (const auto& id : message.attachments) w.begin_object().field("id", id).end_object();
    w.end_array();
  }
  w.end_object();
  return out;
}

std::string traceparent_of(const app::caller& who) {
  auto span = who.parent_span_id;
  if (span.empty()) {
    span = new_uuid();
    std::erase(span, '-');
    span.resize(16);
  }
  return "00-" + who.trace_id + "-" + span + "-01";
}

result<inbound::carried_out> read_answer(const http::response& answer) {
  boost::system::error_code ec;
  const auto value = boost::json::parse(answer.bytes(), ec);
  const auto* body = ec ? nullptr : value.if_object();
  if (answer.status == accepted) {
    inbound::carried_out done;
    if (body) done.session = text_of(*body, "session_id");
    for (const auto& [name, text] : answer.headers)
      if (std::string_view(name) == "Idempotency-Replayed") done.replayed = true;
    return done;
  }
  error why(codes::internal, "the node that was asked says no more than its status");
  if (!body) return why;
  why.code = http::known_code(text_of(*body, "code"));
  why.detail = text_of(*body, "detail");
  why.rule = text_of(*body, "rule");
  return why;
}

}  // namespace

record_relay::record_relay(node_cluster& cluster, const std::vector<boost::asio::io_context*>& io)
    : cluster_(cluster) {
  for (auto* one : io)
    clients_.push_back(std::make_unique<http::node_client>(*one, cluster.client_options()));
}

void record_relay::stop() {
  for (auto& one : clients_) one->stop();
}

boost::asio::awaitable<std::optional<result<inbound::carried_out>>> record_relay::hand_over(
    const app::caller& who, const inbound::inbound_message& message) {
  const auto& in = cluster_.seen();
  const auto& what = app::operation_named("send_message");
  const session_id session(message.session);
  const auto partition = app::partition_for(in, what, who, session, message.idempotency_key);
  if (!partition) co_return std::nullopt;
  const auto owner = in.owner_of(*partition);
  if (owner.here) co_return std::nullopt;
  if (owner.door.empty())
    co_return result<inbound::carried_out>(
        error(codes::cluster_no_owner, "no node has taken over what this is about", 1));
  const auto body = body_of(message);
  http::relayed_caller by;
  by.who = who;
  by.node = in.node();
  by.at_ms = in.time_at(owner.node);
  by.body_sha256 = security::bytes_of(security::sha256(body));
  http::handed_over out;
  out.door = owner.door;
  out.method = "POST";
  out.target = std::string(what.path);
  out.fields = "Content-Type: application/json\r\nX-Request-ID: " + who.request_id + "\r\n";
  out.fields += "Traceparent: " + traceparent_of(who) + "\r\n";
  out.fields +=
      std::string(http::relayed_header) + ": " +
      http::write_relayed(cluster_.relay_key(), by, out.method, out.target, who.request_id) +
      "\r\n";
  out.body = body;
  out.lives = [&in, owner] { return in.door_of(owner.node) == owner.door; };
  auto back = co_await clients_[who.io_thread]->ask(std::move(out));
  if (back.how == http::hand_over::answered) co_return read_answer(back.answer);
  error why(codes::cluster_no_owner, "the node that owns it was not reached", 1);
  if (back.how == http::hand_over::unknown)
    why = error(codes::cluster_timeout, "the node that carried it out is lost", 1);
  co_return result<inbound::carried_out>(std::move(why));
}

}  // namespace soma
