#include "http/gateway.hpp"

#include "core/codes.hpp"
#include "core/command_codec.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "http/on_reader.hpp"
#include "security/digest.hpp"

namespace soma::http {

namespace asio = boost::asio;

std::size_t streams_per_tenant_max(const config& settings, std::size_t connections_max) {
  const auto wanted = settings.number("sse.streams_per_tenant_max");
  return wanted > 0 ? static_cast<std::size_t>(wanted) : (connections_max * 3 + 3) / 4;
}

void gateway::end_streams(const security::gone_identity& gone) {
  for (const auto& hub : hubs) hub->end_with(stream_owner::of(gone));
}

origin origin_of(request_context& ctx) {
  return {ctx.identity.user.value, ctx.request_id, std::string(ctx.trace_id())};
}

std::string idempotency_key_of(const request_context& ctx, std::string_view from_body) {
  const auto header = ctx.header("idempotency-key");
  return std::string(header.empty() ? from_body : header);
}

std::string session_json(const session_id& id, const storage::session_info& info,
                         event_id last_event_id) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("session_id", id.value).field("title", info.title);
  w.field("persona_id", info.persona_id);
  w.field("created_at", format_rfc3339(info.created_at_ms));
  w.field("updated_at", format_rfc3339(info.updated_at_ms));
  w.field("last_event_id", to_string(last_event_id)).field_bool("busy", info.busy);
  w.field_bool("paused", info.paused).field("message_count", info.message_count).end_object();
  return out;
}

std::string derived_uuid(std::initializer_list<std::string_view> parts) {
  std::string joined;
  for (const auto part : parts) joined.append(part).push_back('\n');
  const auto digest = security::sha256(joined);
  std::uint64_t high = 0, low = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    high = high << 8 | static_cast<unsigned char>(digest[i]);
    low = low << 8 | static_cast<unsigned char>(digest[8 + i]);
  }
  return format_uuid(high, low);
}

void mark_replayed(response& answer, const idempotency_gate::entry& gate) {
  if (gate.replay) answer.headers.emplace_back("Idempotency-Replayed", "true");
}

asio::awaitable<result<command_reply>> gateway::command(request_context& ctx,
                                                        const session_id& session,
                                                        input::command what,
                                                        idempotency_gate::entry* gate) {
  if (gate && gate->replay) co_return decode_command_reply(gate->replay->response_json);
  if (!is_uuid(session.value))
    co_return error(codes::session_not_found, "there is no such session");
  actors::session_command command;
  command.key = {ctx.identity.tenant, session};
  command.what.who.from = origin_of(ctx);
  command.what.what = std::move(what);
  if (gate && !gate->key.empty()) {
    command.idempotency_key = gate->key;
    command.request_hash = gate->hash;
    // The caller's own part of the scoped key, for the event's meta.
    command.what.who.idempotency_key = gate->key.substr(gate->key.rfind('\n') + 1);
  }
  auto answer = co_await ask_tenant<actors::command_outcome>(ctx, std::move(command));
  if (!answer) co_return answer.error();
  if (gate && !answer->reply && answer->reply.error().code == codes::idempotency_exists) {
    auto looked = co_await idempotency.look(*gate);
    if (!looked) co_return looked.error();
    if (!gate->replay)  // it has expired since
      co_return error(codes::server_busy, "the request was carried out a while ago", 1);
    co_return decode_command_reply(gate->replay->response_json);
  }
  co_return std::move(answer->reply);
}

asio::awaitable<result<storage::session_head>> gateway::head(const session_key& key) {
  if (!is_uuid(key.session.value))
    co_return error(codes::session_not_found, "there is no such session");
  auto look = [log = &node.log, key] { return log->head(key); };
  co_return co_await on_reader(pool, look);
}

}  // namespace soma::http
