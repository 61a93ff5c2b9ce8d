// API keys, login, logout, who am I.
#include <boost/json.hpp>

#include "app/identities.hpp"
#include "app/users.hpp"
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
  auto in = co_await app::login(g.services, ctx.caller, std::move(by));
  if (!in) co_return problem(in.error(), ctx);
  response answer(200, identity_json(in->tenant, in->user, in->role, "cookie"));
  answer.headers.emplace_back("Set-Cookie", app::session_cookie(g.services, in->session));
  co_return answer;
}

asio::awaitable<response> logout(gateway& g, request_context& ctx) {
  std::string cookies(ctx.header("cookie"));
  auto done = co_await app::logout(g.services, ctx.caller, std::move(cookies));
  if (!done) co_return problem(done.error(), ctx);
  response answer(204);
  if (!done->empty()) {
    answer = response(200);
    json_writer w(answer.body);
    w.begin_object().field("end_session_url", *done).end_object();
  }
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
  w.field("role", security::to_string(key.role)).field_if("user_id", key.user.value);
  w.field("prefix", key.prefix);
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
  wanted.user = user_id(text_of(body, "user_id"));
  if (body.contains("expires_at")) wanted.expires_at_ms = time_in(text_of(body, "expires_at"));
  return wanted;
}

asio::awaitable<response> create_key(gateway& g, request_context& ctx) {
  auto once = once_key_of(ctx);
  if (!once) co_return problem(once.error(), ctx);
  auto wanted = key_wish_in(ctx.json.as_object());
  auto made =
      co_await app::create_key(g.services, *ctx.admitted, std::move(*once), std::move(wanted));
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

// ---- sign-ins of the caller's ----

asio::awaitable<response> list_sign_ins(gateway& g, request_context& ctx) {
  auto found = co_await app::list_sign_ins(g.services, ctx.caller);
  if (!found) co_return problem(found.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("sessions").begin_array();
  for (const auto& one : *found) {
    w.begin_object().field("id", one.id);
    if (one.created_at_ms > 0) w.field("created_at", format_rfc3339(one.created_at_ms));
    w.field("expires_at", format_rfc3339(one.expires_at_ms));
    w.field_bool("current", one.is_this).end_object();
  }
  w.end_array().end_object();
  co_return answer;
}

asio::awaitable<response> close_sign_in(gateway& g, request_context& ctx) {
  std::string id(ctx.path_parameter("id"));
  auto done = co_await app::close_sign_in(g.services, ctx.caller, std::move(id));
  if (!done) co_return problem(done.error(), ctx);
  co_return response(204);
}

asio::awaitable<response> close_sign_ins(gateway& g, request_context& ctx) {
  auto done = co_await app::close_sign_ins(g.services, ctx.caller);
  if (!done) co_return problem(done.error(), ctx);
  co_return response(204);
}

// ---- users ----

constexpr std::size_t users_limit_usual = 50, users_limit_max = 200;

void write_user(json_writer& w, const app::shown_user& one) {
  w.begin_object().field("user_id", one.user.value).field("role", role_name(one.role));
  w.field_bool("disabled", one.disabled).field("sessions", one.sessions);
  w.field("keys", one.keys);
  if (one.last_seen_at_ms > 0) w.field("last_seen_at", format_rfc3339(one.last_seen_at_ms));
  w.end_object();
}

asio::awaitable<response> list_users(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  const auto limit = query.take("limit"), cursor = query.take("cursor");
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  auto rows = number_in(limit, "limit", users_limit_usual, users_limit_max);
  if (!rows) co_return problem(rows.error(), ctx);
  if (cursor && cursor->empty()) co_return problem(unreadable_parameter("cursor"), ctx);
  std::string behind(cursor.value_or(""));
  auto page = co_await app::list_users(g.services, ctx.caller, std::move(behind), *rows);
  if (!page) co_return problem(page.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().key("users").begin_array();
  for (const auto& one : page->users) write_user(w, one);
  w.end_array().key("next_cursor");
  if (page->next_cursor.empty())
    w.null();
  else
    w.string(page->next_cursor);
  w.end_object();
  co_return answer;
}

asio::awaitable<response> update_user(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  app::user_wish wanted;
  if (const auto* flag = body.if_contains("disabled")) wanted.disabled = flag->as_bool();
  if (body.contains("role"))
    wanted.role = text_of(body, "role") == "admin" ? app::role::admin : app::role::user;
  user_id user(std::string(ctx.path_parameter("user_id")));
  auto changed = co_await app::change_user(g.services, *ctx.admitted, std::move(user), wanted);
  if (!changed) co_return problem(changed.error(), ctx);
  response answer;
  json_writer w(answer.body);
  write_user(w, *changed);
  co_return answer;
}

}  // namespace

void add_identity_routes(router& routes, gateway& g) {
  add_operation(routes, g, "login", login);
  add_operation(routes, g, "logout", logout);
  add_operation(routes, g, "whoami", whoami);
  add_operation(routes, g, "list_keys", list_keys);
  add_operation(routes, g, "create_key", create_key);
  add_operation(routes, g, "delete_key", delete_key);
  add_operation(routes, g, "list_sign_ins", list_sign_ins);
  add_operation(routes, g, "close_sign_in", close_sign_in);
  add_operation(routes, g, "close_sign_ins", close_sign_ins);
  add_operation(routes, g, "list_users", list_users);
  add_operation(routes, g, "update_user", update_user);
}

}  // namespace soma::http
