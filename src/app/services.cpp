#include "app/services.hpp"

#include "app/on_lane.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "core/command_codec.hpp"
#include "core/uuid.hpp"
#include "models/model_stream.hpp"
#include "security/digest.hpp"
#include "security/secrets/tenant_keys.hpp"

namespace soma::app {

namespace asio = boost::asio;

services::services(const services_needs& needs)
    : services_needs(needs),
      pool(needs.lanes.quick),
      facts(needs.known_facts, log_reader(needs.node.log), needs.lanes.quick),
      pipeline(needs.tools.policy, needs.tools.audit, &facts),
      idempotency(needs.node.log, needs.lanes.quick, needs.node.limits.idempotency_ttl_ms) {
  known_facts.on_changed(
      [this](const session_key& key, const session_fact& now) { watches.sight_changed(key, now); });
}

services::~services() {
  known_facts.on_changed({});
}

identity_watches& watches_of(services& s) {
  return s.watches;
}

asio::awaitable<result<admitted>> admit(services& s, const caller& who, const operation& what,
                                        std::string resource) {
  // Whoever still asks for it: its id is never used again.
  if (s.tenant_keys && s.tenant_keys->erased(who.tenant))
    co_return error(codes::tenant_erased, "the tenant was erased, and its key destroyed");
  auto in = co_await s.pipeline.admit(who, what, std::move(resource));
  co_return in;
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

asio::awaitable<result<command_reply>> services::command(const admitted& in,
                                                         const session_id& session,
                                                         input::command what,
                                                         idempotency_gate::entry* gate) {
  const auto& who = in.who();
  if (gate && gate->replay) co_return decode_command_reply(gate->replay->response_json);
  if (!is_uuid(session.value))
    co_return error(codes::session_not_found, "there is no such session");
  actors::session_command command;
  command.key = {who.tenant, session};
  command.what.who.from = origin_of(who);
  command.what.what = std::move(what);
  if (gate && !gate->key.empty()) {
    command.idempotency_key = gate->key;
    command.request_hash = gate->hash;
    // The caller's own part of the scoped key, for the event's meta.
    command.what.who.idempotency_key = gate->key.substr(gate->key.rfind('\n') + 1);
  }
  auto answer = co_await ask_tenant<actors::command_outcome>(who, std::move(command));
  if (!answer) co_return answer.error();
  if (gate && !answer->reply) {
    auto kept = co_await idempotency.find_twin(*gate, answer->reply.error());
    if (!kept) co_return kept.error();
    co_return decode_command_reply(gate->replay->response_json);
  }
  co_return std::move(answer->reply);
}

asio::awaitable<result<storage::session_head>> services::head(const session_key& key) {
  if (!is_uuid(key.session.value))
    co_return error(codes::session_not_found, "there is no such session");
  auto look = [log = &node.log, key] { return log->head(key); };
  co_return co_await on_lane(pool, look);
}

}  // namespace soma::app
