#include "http/routes/door.hpp"

#include <boost/json.hpp>
#include <cassert>

#include "app/pipeline.hpp"
#include "core/json_text.hpp"
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

// What policy is asked about: path:NAME, query:NAME, body:NAME. What cannot be read is nothing, and
// the handler says why.
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

asio::awaitable<response> through_pipeline(gateway& g, request_context& ctx,
                                           const app::operation& what, const handler& run) {
  auto in = co_await app::admit(g.services, ctx.caller, what, resource_of(what, ctx));
  if (!in) co_return problem(in.error(), ctx);
  ctx.admitted = &*in;
  response answer = co_await run(ctx);
  ctx.admitted = nullptr;
  in->ended(answer.status < 400, answer.status);
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
  if (what.action.empty())
    r.handler = std::move(run);
  else
    r.handler = [&g, &what, run = std::move(run)](request_context& ctx) {
      return through_pipeline(g, ctx, what, run);
    };
  routes.add(std::move(r));
}

void add_operation(router& routes, gateway& g, std::string_view id, operation_handler run) {
  add_operation(routes, g, id, handler([&g, run](request_context& ctx) { return run(g, ctx); }));
}

const app::admitted& admitted_of(const request_context& ctx) {
  assert(ctx.admitted);
  return *ctx.admitted;
}

}  // namespace soma::http
