#include "http/routes/door.hpp"

#include <boost/json.hpp>
#include <cassert>

#include "app/audit.hpp"
#include "app/pipeline.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/limits.hpp"
#include "http/net/problem.hpp"

namespace soma::http {
namespace {

http::verb verb_of(app::method m) {
  switch (m) {
    case app::method::get: return verb::get;
    case app::method::post: return verb::post;
    case app::method::put: return verb::put;
    case app::method::patch: return verb::patch;
    case app::method::delete_: break;
  }
  return verb::delete_;
}

std::uint64_t bytes_of(app::bound most, const config& settings) {
  const auto number = [&](std::string_view key) {
    return static_cast<std::uint64_t>(settings.number(key));
  };
  switch (most) {
    case app::bound::usual: return 0;
    case app::bound::login: return limits::http_login_bytes_max;
    case app::bound::import: return limits::http_import_bytes_max;
    case app::bound::upload: return number("uploads.request_bytes_max");
    case app::bound::model: break;
  }
  return number("llm.request_bytes_max");
}

error identity_gone() {
  return {codes::auth_invalid, "the key or sign-in that asked is gone"};
}

}  // namespace

std::string resource_of(const app::operation& what, request_context& ctx) {
  const auto colon = what.resource.find(':');
  if (colon == std::string_view::npos) return {};
  const auto from = what.resource.substr(0, colon), name = what.resource.substr(colon + 1);
  if (from == "path") return std::string(ctx.path_parameter(name));
  if (from == "query") {
    query_reader query(ctx);
    return std::string(query.take(name).value_or(""));
  }
  const auto* body = ctx.json.if_object();
  return body ? text_of(*body, name) : std::string();
}

namespace {

// An answer's body, until its asker's identity is gone.
class tied_stream final : public response_stream {
 public:
  explicit tied_stream(response_stream& out) : out_(out) {}
  asio::awaitable<bool> write(std::string_view piece) override {
    if (*cut_) co_return false;
    co_return co_await out_.write(piece);
  }
  std::function<void()> cutter() const {
    return [cut = cut_] { *cut = true; };
  }

 private:
  response_stream& out_;
  const std::shared_ptr<bool> cut_ = std::make_shared<bool>(false);
};

asio::awaitable<bool> produce_tied(
    identity_ties& ties, stream_owner whose,
    const std::function<asio::awaitable<bool>(response_stream&)>& produce, response_stream& out) {
  tied_stream tied(out);
  const auto tie = ties.tie(whose, tied.cutter());
  if (!tie) co_return false;
  co_return co_await produce(tied);
}

// Runs with what goes on for long tied to the identity that asked: a body that is read in pieces,
// an answer that is made of them. Calls of models tie themselves, and say so in their answer's own
// form.
asio::awaitable<response> run_tied(gateway& g, request_context& ctx, const app::operation& what,
                                   const handler& run) {
  if (ctx.caller.role == app::role::anonymous) co_return co_await run(ctx);
  auto& ties = g.hubs[ctx.io_thread]->ties();
  const auto whose = stream_owner::of(ctx.caller);
  // While its body came.
  if (ties.is_gone(whose)) co_return problem(identity_gone(), ctx);
  std::shared_ptr<void> tie;
  if (ctx.stream) tie = ties.tie(whose, [body = ctx.stream] { body->interrupt(identity_gone()); });
  response answer = co_await run(ctx);
  if (answer.produce && what.action != "llm.invoke")
    answer.produce = [&ties, whose, produce = std::move(answer.produce)](response_stream& out) {
      return produce_tied(ties, whose, produce, out);
    };
  co_return answer;
}

// Who may do what, and with whose secrets: seldom changed, and recorded before it is answered.
bool is_recorded_first(const app::operation& what) {
  return what.audited == app::audited::always &&
         (what.action == "key.manage" || what.action == "credential.update" ||
          what.action == "settings.update" || what.action == "mcp.update");
}

asio::awaitable<response> through_pipeline(gateway& g, request_context& ctx,
                                           const app::operation& what, const handler& run,
                                           bool recorded_first) {
  auto in = co_await app::admit(g.services, ctx.caller, what, resource_of(what, ctx));
  if (!in) co_return problem(in.error(), ctx);
  ctx.admitted = &*in;
  response answer = co_await run(ctx);
  ctx.admitted = nullptr;
  in->ended(answer.status < 400, answer.status);
  if (recorded_first && answer.status < 400) {
    { const app::admitted over(std::move(*in)); }  // whose end records it
    co_await app::sync_audit(g.services, ctx.caller.tenant);
  }
  co_return answer;
}

}  // namespace

void add_operation(router& routes, gateway& g, std::string_view id, handler run) {
  const auto& what = app::operation_named(id);
  route r;
  r.verb = verb_of(what.method);
  r.pattern = what.path;
  r.operation_id = what.id;
  r.auth = what.access;
  r.body_bytes_max = bytes_of(what.bound, g.settings);
  r.body_is_secret = what.secret;
  switch (what.body) {
    case app::body::none: break;
    case app::body::stream: r.body = body_mode::streamed; break;
    case app::body::optional_json: r.body_optional = true; [[fallthrough]];
    case app::body::json: r.body_schema = what.id; [[fallthrough]];
    case app::body::raw_json: r.body = body_mode::whole; break;
  }
  handler tied = [&g, &what, run = std::move(run)](request_context& ctx) {
    return run_tied(g, ctx, what, run);
  };
  if (what.action.empty())
    r.handler = std::move(tied);
  else
    r.handler = [&g, &what, tied = std::move(tied), first = is_recorded_first(what)](
                    request_context& ctx) { return through_pipeline(g, ctx, what, tied, first); };
  // A node alone goes no other way than before.
  if (g.relay) r.handler = g.relay->at_owner(what, std::move(r.handler));
  routes.add(std::move(r));
}

void add_operation(router& routes, gateway& g, std::string_view id, operation_handler run) {
  add_operation(routes, g, id, handler([&g, run](request_context& ctx) { return run(g, ctx); }));
}

void tell_made(request_context& ctx, const std::vector<std::string>& ids) {
  std::string members;
  json_writer w(members);
  w.begin_array();
  for (const auto& id : ids) w.string(id);
  w.end_array();
  ctx.admitted->add("\"made\":" + members);
}

const app::admitted& admitted_of(const request_context& ctx) {
  assert(ctx.admitted);
  return *ctx.admitted;
}

}  // namespace soma::http
