// API keys, login, logout, who am I.
#include <boost/json.hpp>

#include "app/on_lane.hpp"
#include "app/pipeline.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "security/identity/api_keys.hpp"
#include "security/identity/authenticator.hpp"
#include "security/identity/browser_sessions.hpp"
#include "security/identity/sign_in_token.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

bool behind_tls(const gateway& g) {
  return g.services.settings.text("server.base_url").starts_with("https:");
}

std::string_view role_name(app::role r) {
  return r == app::role::admin ? "admin" : "user";
}

std::string identity_json(const tenant_id& tenant, const user_id& user, std::string_view role,
                          std::string_view via) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("tenant_id", tenant.value).field("user_id", user.value);
  w.field("role", role).field("via", via).end_object();
  return out;
}

// ---- login ----

struct brought {
  secret_string token, bearer;  // one of them; the latter as a header has it
  std::string peer;
};

result<security::identity> identify(gateway& g, const brought& by) {
  if (!by.token.empty()) {
    const auto redeem = [&] { return g.services.sign_in.redeem(by.token.reveal(), now_ms()); };
    if (auto good = g.services.identities.attempt(by.peer, redeem); !good) return good.error();
    security::identity admin;
    admin.tenant = tenant_id("default");
    admin.user = user_id("admin");
    admin.role = security::role::admin;
    return admin;
  }
  security::credentials given;
  given.authorization = by.bearer.reveal();
  given.peer = by.peer;
  return g.services.identities.authenticate(given);
}

asio::awaitable<response> login(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  auto by = std::make_shared<brought>();
  by->peer = ctx.peer.to_string();
  if (const auto* token = body.if_contains("token"))
    by->token = secret_string(std::string(token->as_string()));
  if (const auto* key = body.if_contains("key")) {
    std::string bearer = "Bearer ";
    bearer.reserve(bearer.size() + key->as_string().size());  // no half of it is left behind
    bearer += std::string_view(key->as_string());
    by->bearer = secret_string(std::move(bearer));
  }
  auto judge = [&g, by = std::shared_ptr<const brought>(std::move(by))] {
    return identify(g, *by);
  };
  auto who = co_await app::on_lane(g.services.pool, judge);
  if (!who) co_return problem(who.error(), ctx);
  auto open = [&g, who = *who] { return g.services.browsers.open(who, now_ms()); };
  auto cookie = co_await app::on_lane(g.services.lanes.writes, open);
  if (!cookie) co_return problem(cookie.error(), ctx);
  response answer(200,
                  identity_json(who->tenant, who->user, security::to_string(who->role), "cookie"));
  answer.headers.emplace_back("Set-Cookie", g.services.browsers.set_cookie(*cookie, behind_tls(g)));
  co_return answer;
}

asio::awaitable<response> logout(gateway& g, request_context& ctx) {
  const std::string token(g.services.browsers.token_in(ctx.header("cookie")));
  if (!token.empty()) {
    auto work = [&g, token] { return g.end(g.services.identities.close_session(token)); };
    auto done = co_await app::on_lane(g.services.lanes.writes, work);
    if (!done) co_return problem(done.error(), ctx);
  }
  response answer(204);
  answer.headers.emplace_back(
      "Set-Cookie", g.services.browsers.clear_cookie(ctx.header("cookie"), behind_tls(g)));
  co_return answer;
}

asio::awaitable<response> whoami(gateway&, request_context& ctx) {
  const auto& who = ctx.caller;
  co_return response(200, identity_json(who.tenant, who.user, role_name(who.role),
                                        who.is_cookie ? "cookie" : "key"));
}

// ---- keys ----

void write_key_members(json_writer& w, const security::api_key& key) {
  w.field("key_id", key.id).field("name", key.name);
  w.field("role", security::to_string(key.role)).field("prefix", key.prefix);
  w.field("created_at", format_rfc3339(key.created_at_ms));
  if (key.expires_at_ms > 0) w.field("expires_at", format_rfc3339(key.expires_at_ms));
  if (key.last_used_at_ms > 0) w.field("last_used_at", format_rfc3339(key.last_used_at_ms));
}

asio::awaitable<response> list_keys(gateway& g, request_context& ctx) {
  auto work = [&g, tenant = ctx.caller.tenant] { return g.services.keys.list(tenant); };
  auto keys = co_await app::on_lane(g.services.lanes.longer, work);
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

// "2027-01-01T00:00:00Z", with or without a fraction, to milliseconds; -1 when it is none.
std::int64_t parse_time(std::string_view text) {
  if (text.size() < 20) return -1;
  std::string whole(text.substr(0, 19));
  std::string fraction = text.size() > 21 ? std::string(text.substr(20, text.size() - 21)) : "";
  fraction.resize(3, '0');
  return parse_rfc3339(whole + "." + fraction + "Z");
}

asio::awaitable<response> create_key(gateway& g, request_context& ctx) {
  auto gate = co_await enter_once(g, ctx, idempotency_key_of(ctx));
  if (!gate) co_return problem(gate.error(), ctx);
  if (gate->replay) {
    response again(201, gate->replay->response_json);
    mark_replayed(again, *gate);
    co_return again;
  }
  const auto& body = ctx.json.as_object();
  security::new_api_key wanted;
  wanted.name = std::string(body.at("name").as_string());
  wanted.tenant = ctx.caller.tenant;
  wanted.user = ctx.caller.user;
  if (const auto* role = body.if_contains("role"); role && role->as_string() == "admin")
    wanted.role = security::role::admin;
  if (const auto* until = body.if_contains("expires_at")) {
    wanted.expires_at_ms = parse_time(std::string_view(until->as_string()));
    if (wanted.expires_at_ms <= now_ms())
      co_return problem(error(codes::request_invalid, "expires_at must lie in the future"), ctx);
  }
  auto work = [&g, wanted] { return g.services.keys.create(wanted, now_ms()); };
  auto made = co_await app::on_lane(g.services.lanes.writes, work);
  if (!made) co_return problem(made.error(), ctx);
  ctx.admitted->about(made->key.id);
  response answer(201);
  json_writer w(answer.body);
  w.begin_object().field("key", made->text.reveal());
  write_key_members(w, made->key);
  w.end_object();
  if (!gate->key.empty()) {
    // What is kept must not hold the key: a replay answers without it.
    std::string kept_answer;
    json_writer r(kept_answer);
    r.begin_object();
    write_key_members(r, made->key);
    r.end_object();
    auto record = g.services.idempotency.record_of(*gate, 201, std::move(kept_answer));
    auto keep = [&g, record] { return g.services.node.log.put_idempotency(record); };
    auto kept = co_await app::on_lane(g.services.lanes.writes, keep);
    if (!kept) co_return problem(kept.error(), ctx);
  }
  co_return answer;
}

asio::awaitable<response> delete_key(gateway& g, request_context& ctx) {
  auto work = [&g, tenant = ctx.caller.tenant, id = std::string(ctx.path_parameter("id"))] {
    return g.end(g.services.identities.remove_key(tenant, id));
  };
  auto done = co_await app::on_lane(g.services.lanes.writes, work);
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
