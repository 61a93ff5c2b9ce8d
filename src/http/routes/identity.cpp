// API keys, login, logout, who am I.
#include <boost/json.hpp>

#include "app/identities.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/parameters.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

std::string_view role_name(app::role r) {
  return r == app::role::admin ? "admin" : "user";
}

std::string identity_json(const tenant_id& tenant, const user_id& user, app::role role,
                          std::string_view via) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("tenant_id", tenant.value).field("user_id", user.value);
  w.field("role", role_name(role)).field("via", via).end_object();
  return out;
}

asio::awaitable<response> login(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  app::login_proof by;
  by.token = secret_string(text_of(body, "token"));
  by.key = secret_string(text_of(body, "key"));
  by.peer = ctx.peer.to_string();
  auto in = co_await app::login(g.services, std::move(by));
  if (!in) co_return problem(in.error(), ctx);
  response answer(200, identity_json(in->tenant, in->user, in->role, "cookie"));
  answer.headers.emplace_back("Set-Cookie", app::session_cookie(g.services, in->session));
  co_return answer;
}

asio::awaitable<response> logout(gateway& g, request_context& ctx) {
  std::string cookies(ctx.header("cookie"));
  auto done = co_await app::logout(g.services, std::move(cookies));
  if (!done) co_return problem(done.error(), ctx);
  response answer(204);
  answer.headers.emplace_back("Set-Cookie", app::cleared_cookie(g.services, ctx.header("cookie")));
  co_return answer;
}

asio::awaitable<response> whoami(gateway&, request_context& ctx) {
  const auto& who = ctx.caller;
  const std::string_view via = who.is_cookie ? "cookie" : "key";
  co_return response(200, identity_json(who.tenant, who.user, who.role, via));
}

// ---- keys ----

void write_key_members(json_writer& w, const app::api_key& key) {
  w.field("key_id", key.id).field("name", key.name);
  w.field("role", security::to_string(key.role)).field("prefix", key.prefix);
  w.field("created_at", format_rfc3339(key.created_at_ms));
  if (key.expires_at_ms > 0) w.field("expires_at", format_rfc3339(key.expires_at_ms));
  if (key.last_used_at_ms > 0) w.field("last_used_at", format_rfc3339(key.last_used_at_ms));
}

asio::awaitable<response> list_keys(gateway& g, request_context& ctx) {
  auto keys = co_await app::list_keys(g.services, ctx.caller);
  if (!keys) co_return problem(keys.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("keys").begin_array();
  for (const auto& key : *keys) {
    w.begin_object();
    write_key_members(w, key);
    w.end_object();
  }
  w.end_array().end_object();
  co_return answer;
}

app::key_wish key_wish_in(const boost::json::object& body) {
  app::key_wish wanted;
  wanted.name = text_of(body, "name");
  if (text_of(body, "role") == "admin") wanted.role = app::role::admin;
  if (body.contains("expires_at")) wanted.expires_at_ms = time_in(text_of(body, "expires_at"));
  return wanted;
}

asio::awaitable<response> create_key(gateway& g, request_context& ctx) {
  auto once = once_key_of(ctx);
  if (!once) co_return problem(once.error(), ctx);
  auto wanted = key_wish_in(ctx.json.as_object());
  auto made =
      co_await app::create_key(g.services, admitted_of(ctx), std::move(*once), std::move(wanted));
  if (!made) co_return problem(made.error(), ctx);
  ctx.admitted->about(made->what.key.id);
  response answer(201);
  json_writer w(answer.body);
  w.begin_object();
  if (!made->what.text.empty()) w.field("key", made->what.text.reveal());
  write_key_members(w, made->what.key);
  w.end_object();
  mark_replayed(answer, made->replayed);
  co_return answer;
}

asio::awaitable<response> delete_key(gateway& g, request_context& ctx) {
  std::string id(ctx.path_parameter("id"));
  auto done = co_await app::delete_key(g.services, admitted_of(ctx), std::move(id));
  if (!done) co_return problem(done.error(), ctx);
  co_return response(204);
}

}  // namespace

void add_identity_routes(router& routes, gateway& g) {
  add_operation(routes, g, "login", login);
  add_operation(routes, g, "logout", logout);
  add_operation(routes, g, "whoami", whoami);
  add_operation(routes, g, "list_keys", list_keys);
  add_operation(routes, g, "create_key", create_key);
  add_operation(routes, g, "delete_key", delete_key);
}

}  // namespace soma::http
