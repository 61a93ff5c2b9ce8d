#include "http/routes/gateway.hpp"

#include "core/codes.hpp"
#include "core/command_codec.hpp"
#include "core/json_member.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "http/net/problem.hpp"
#include "models/model_lock.hpp"
#include "security/digest.hpp"

namespace soma::http {

namespace asio = boost::asio;

std::size_t streams_per_tenant_max(const config& settings, std::size_t connections_max) {
  const auto wanted = settings.number("sse.streams_per_tenant_max");
  return wanted > 0 ? static_cast<std::size_t>(wanted) : (connections_max * 3 + 3) / 4;
}

void gateway::gone(const security::gone_identity& who) {
  using namespace std::chrono;
  const auto now = duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
  for (const auto& hub : hubs) hub->end_with(stream_owner::of(who, now));
}

void gateway::sight_changed(const session_key& key, const app::session_fact& now) {
  const auto audience = session_audience::of(key.tenant, now);
  for (const auto& hub : hubs) hub->end_unseen(key, audience);
}

session_key key_of(const request_context& ctx) {
  return {ctx.caller.tenant, session_id(std::string(ctx.path_parameter("id")))};
}

namespace {

// White space, escapes and the order of members make no other request.
std::string hash_of(std::string_view body) {
  const auto canonical = canonical_json(body);
  const std::string_view hashed = canonical.empty() ? body : std::string_view(canonical);
  return security::hex(security::bytes_of(security::sha256(hashed)));
}

}  // namespace

result<app::once_key> once_key_of(const request_context& ctx, std::string_view from_body) {
  // A key that is sent is one, so an empty one is none that could be kept.
  if (ctx.has_header("Idempotency-Key") && ctx.header("Idempotency-Key").empty())
    return app::bad_idempotency_key();
  app::once_key key;
  const auto header = ctx.header("idempotency-key");
  key.key = header.empty() ? from_body : header;
  if (key.key.empty()) return key;
  key.operation = ctx.operation_id;
  key.subject = ctx.path_parameter("id");
  key.hash = hash_of(ctx.body);
  key.old_hash = security::hex(security::bytes_of(security::sha256(ctx.body)));
  return key;
}

app::call_tie tie_to_caller(gateway& g, request_context& ctx) {
  return [&g, &ctx](const std::shared_ptr<models::model_stream>& stream) -> result<void> {
    const failure identity_gone{std::string(codes::auth_invalid),
                                "the key or sign-in that asked is gone", false};
    const std::weak_ptr<models::model_stream> weak = stream;
    auto tie =
        g.hubs[ctx.io_thread]->ties().tie(stream_owner::of(ctx.caller), [weak, identity_gone] {
          if (const auto self = weak.lock()) self->give_up(identity_gone, true);
        });
    if (!tie) return error(codes::auth_invalid, identity_gone.detail);
    stream->hold(std::move(tie));
    if (ctx.peer_watch)
      ctx.peer_watch->when_gone([weak] {
        if (const auto self = weak.lock())
          self->give_up({std::string(codes::llm_interrupted), "the caller is gone", false});
      });
    return {};
  };
}

void warn_if(response& answer, bool warn) {
  if (warn)
    answer.headers.emplace_back("X-Gateway-Model-Lock-Warning",
                                std::string(models::model_lock_warning));
}

response stream_response(gateway& g, const request_context& ctx, stream_request stream) {
  stream.owner = stream_owner::of(ctx.caller);
  // A HEAD opens none.
  if (ctx.verb == verb::get && !(stream.place = g.places.enter(ctx.caller.tenant)))
    return problem(error(codes::quota_exceeded, "the tenant has as many streams as it may", 5),
                   ctx);
  response answer;
  answer.content_type = "text/event-stream";
  answer.headers.emplace_back("X-Accel-Buffering", "no");
  auto request = std::make_shared<stream_request>(std::move(stream));
  answer.takeover = [&g, request](taken_socket&& taken) {
    request->response_head = std::move(taken.head);
    request->chunked = taken.chunked;
    g.hubs[taken.io_thread]->open(std::move(taken.socket), *request, std::move(taken.slot));
  };
  return answer;
}

void mark_replayed(response& answer, bool replayed) {
  if (replayed) answer.headers.emplace_back("Idempotency-Replayed", "true");
}

}  // namespace soma::http
