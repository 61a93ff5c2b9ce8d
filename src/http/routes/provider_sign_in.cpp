// Signing in by an OpenID provider: what a browser is offered, its way there and back, and what the
// provider says by itself.
#include "app/provider_sign_in.hpp"

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "http/net/ascii.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/parameters.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

constexpr std::string_view form_type = "application/x-www-form-urlencoded";
constexpr std::string_view page_path = "/ui/index.html";

asio::awaitable<response> list_sign_in_methods(gateway& g, request_context&) {
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("provider");
  if (const auto name = app::provider_name(g.services); name.empty())
    w.null();
  else
    w.begin_object().field("name", name).end_object();
  w.end_object();
  co_return answer;
}

response sent_to(std::string url) {
  response answer(302);
  answer.headers.emplace_back("Location", std::move(url));
  return answer;
}

// Whether a person is looking: a browser that goes somewhere, which shows what it gets.
bool is_navigation(const request_context& ctx) {
  return ctx.header("accept").find("text/html") != std::string_view::npos;
}

// A person comes back to the page, which says what went wrong.
response failed(gateway& g, const request_context& ctx, const error& why) {
  if (why.code != codes::route_not_found && is_navigation(ctx))
    return sent_to(app::page_after_failure(g.services, why.code));
  return problem(why, ctx);
}

asio::awaitable<response> oidc_start(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  std::string return_to(query.take("return_to").value_or(page_path));
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  auto peer = ctx.peer.to_string();
  auto begun =
      co_await app::begin_provider_sign_in(g.services, std::move(peer), std::move(return_to));
  if (!begun) co_return failed(g, ctx, begun.error());
  auto answer = sent_to(std::move(begun->url));
  answer.headers.emplace_back("Set-Cookie", std::move(begun->cookie));
  co_return answer;
}

// Providers add parameters of their own, which say nothing here.
asio::awaitable<response> oidc_callback(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const auto text = [&](std::string_view name) {
    return std::string(query.take(name).value_or(""));
  };
  security::oidc::brought_answer brought;
  brought.code = text("code");
  brought.state = text("state");
  brought.issuer = text("iss");
  brought.refusal = text("error");
  auto peer = ctx.peer.to_string();
  std::string cookies(ctx.header("cookie"));
  auto ended = co_await app::finish_provider_sign_in(g.services, ctx.caller, std::move(peer),
                                                     std::move(cookies), std::move(brought));
  auto answer = ended ? sent_to(std::move(ended->url)) : failed(g, ctx, ended.error());
  if (auto cleared = app::cleared_sign_in_cookie(g.services); !cleared.empty())
    answer.headers.emplace_back("Set-Cookie", std::move(cleared));
  if (ended)
    answer.headers.emplace_back("Set-Cookie", app::session_cookie(g.services, ended->session));
  co_return answer;
}

// `logout_token` of a form; empty where it is not there.
std::string logout_token_in(request_context& ctx) {
  std::string_view rest = ctx.body;
  while (!rest.empty()) {
    const auto end = std::min(rest.find('&'), rest.size());
    const auto pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto equals = pair.find('=');
    if (equals == pair.npos || pair.substr(0, equals) != "logout_token") continue;
    return std::string(ctx.decode(pair.substr(equals + 1), true).value_or(""));
  }
  return {};
}

asio::awaitable<response> oidc_logged_out(gateway& g, request_context& ctx) {
  const auto type = ctx.header("content-type");
  if (!iequals(type.substr(0, type.find(';')), form_type))
    co_return problem({codes::request_unsupported_media_type, "This route takes a form"}, ctx);
  auto peer = ctx.peer.to_string();
  auto token = logout_token_in(ctx);
  auto done = co_await app::take_provider_logout(g.services, std::move(peer), std::move(token));
  if (done) co_return response(204);
  // Back-Channel Logout, 2.8: whatever is wrong with a token is 400.
  if (done.error().code != codes::auth_invalid) co_return problem(done.error(), ctx);
  co_return problem(
      error(codes::request_invalid_parameter, done.error().detail).about("logout_token"), ctx);
}

}  // namespace

void add_provider_routes(router& routes, gateway& g) {
  add_operation(routes, g, "list_sign_in_methods", list_sign_in_methods);
  add_operation(routes, g, "oidc_start", oidc_start);
  add_operation(routes, g, "oidc_callback", oidc_callback);
  add_operation(routes, g, "oidc_logged_out", oidc_logged_out);
}

}  // namespace soma::http
