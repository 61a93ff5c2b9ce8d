#include "app/identities.hpp"

#include <boost/json.hpp>

#include "app/on_lane.hpp"
#include "app/on_longer.hpp"
#include "app/on_writes.hpp"
#include "app/provider_sign_in.hpp"
#include "app/services.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "security/identity/authenticator.hpp"
#include "security/identity/browser_sessions.hpp"
#include "security/identity/sign_in_token.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

result<security::identity> identify(const services& s, const login_proof& by) {
  if (!by.token.empty()) {
    const auto redeem = [&] { return s.sign_in.redeem(by.token.reveal(), now_ms()); };
    if (auto good = s.identities.attempt(by.peer, redeem); !good) return good.error();
    security::identity admin;
    admin.tenant = tenant_id(std::string(operators_tenant));
    admin.user = user_id("admin");
    admin.role = security::role::admin;
    return admin;
  }
  std::string bearer = "Bearer ";
  bearer.reserve(bearer.size() + by.key.reveal().size());  // no half of it is left behind
  bearer += by.key.reveal();
  const secret_string wiped(std::move(bearer));
  security::credentials given;
  if (!by.key.empty()) given.authorization = wiped.reveal();
  given.peer = by.peer;
  return s.identities.authenticate(given);
}

// What is open for it ends also where the store failed: nobody knows whether it is still there.
result<void> tell_removed(services& s, security::removal removed) {
  s.watches.gone(removed.gone);
  return std::move(removed.done);
}

// Where the provider that let a browser in ends its sign-in there.
std::string url_after_logout(const services& s, const std::string& token) {
  if (!s.provider) return {};
  const auto session = s.browsers.find(token, now_ms());
  if (!session || !session->provider) return {};
  const auto& part = *session->provider;
  if (part.issuer != s.provider->party.issuer()) return {};
  return s.provider->party.end_session_url(s.provider->unseal(part).id_token);
}

bool behind_tls(const services& s) {
  return !s.settings.text("server.tls_cert_file").empty() ||
         s.settings.text("server.base_url").starts_with("https:");
}

// What is kept for a repeated request: the published members without the key's text.
std::string encode(const api_key& key) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("key_id", key.id).field("name", key.name);
  w.field("role", security::to_string(key.role)).field("user_id", key.user.value);
  w.field("prefix", key.prefix).field("created_at", format_rfc3339(key.created_at_ms));
  if (key.expires_at_ms > 0) w.field("expires_at", format_rfc3339(key.expires_at_ms));
  w.end_object();
  return out;
}

result<answered<created_key>> kept_key(const idempotency_gate::entry& gate) {
  const auto& text = gate.replay->response_json;
  boost::system::error_code ec;
  const auto value = json::parse({text.data(), text.size()}, ec);
  const auto* members = ec ? nullptr : value.if_object();
  created_key made;
  auto& key = made.key;
  if (members) {
    key.id = text_of(*members, "key_id");
    key.name = text_of(*members, "name");
    key.prefix = text_of(*members, "prefix");
    key.user = user_id(text_of(*members, "user_id"));
    if (text_of(*members, "role") == security::to_string(security::role::admin))
      key.role = security::role::admin;
    key.created_at_ms = parse_rfc3339(text_of(*members, "created_at"));
    if (members->contains("expires_at"))
      key.expires_at_ms = parse_rfc3339(text_of(*members, "expires_at"));
  }
  if (key.id.empty() || key.created_at_ms < 0 || key.expires_at_ms < 0)
    return error(codes::storage_corrupt, "not the answer to a new key");
  return answered<created_key>(std::move(made), true);
}

// Whose sign-in it was is not known where it failed.
void record_login(services& s, const caller& who, const login_proof& by,
                  const result<browser_login>& how) {
  // Further ones of that address are only counted until its ration is there again.
  if (!how && how.error().code == codes::quota_exceeded) return;
  std::string data;
  json_writer w(data);
  w.begin_object().field("by", by.token.empty() ? "key" : "link").field("peer", by.peer);
  w.end_object();
  security::audit_record r;
  r.what = "auth.login";
  r.operation = "login";
  r.door = to_string(who.door);
  r.outcome = how ? "done" : "failed";
  if (how) {
    r.tenant_id = how->tenant.value;
    r.user_id = how->user.value;
    r.role = to_string(how->role);
  } else {
    r.why = how.error().code;
  }
  r.request_id = who.request_id;
  r.trace_id = who.trace_id;
  r.data_json = std::string_view(data).substr(1, data.size() - 2);
  s.tools.audit.record(r);
}

// `sign_in`: which one it was; empty where it is that of the request, or all of them.
void record_logout(services& s, const caller& who, std::string_view operation,
                   std::string_view sign_in, const result<void>& how) {
  security::audit_record r;
  r.what = "auth.logout";
  r.operation = operation;
  r.door = to_string(who.door);
  r.outcome = how ? "done" : "failed";
  if (!how) r.why = how.error().code;
  r.resource = sign_in;
  r.tenant_id = who.tenant.value;
  r.user_id = who.user.value;
  r.role = to_string(who.role);
  r.key_id = who.key_id;
  r.request_id = who.request_id;
  r.trace_id = who.trace_id;
  s.tools.audit.record(r);
}

// What a key may do, and for whom; its text is nowhere.
std::string difference(const security::new_api_key& made) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("name", made.name).field("role", security::to_string(made.role));
  w.field("user_id", made.user.value);
  if (made.expires_at_ms > 0) w.field("expires_at", format_rfc3339(made.expires_at_ms));
  w.end_object();
  return out;
}

asio::awaitable<result<browser_login>> let_in(services& s,
                                              std::shared_ptr<const login_proof> proof) {
  auto judge = [&s, proof] { return identify(s, *proof); };
  auto who = co_await on_lane(s.pool, judge);
  if (!who) co_return who.error();
  auto open = [&s, who = *who] { return s.browsers.open(who, now_ms()); };
  auto session = co_await on_writes(s, who->tenant, open);
  if (!session) co_return session.error();
  browser_login in;
  in.tenant = who->tenant;
  in.user = who->user;
  if (who->role == security::role::admin) in.role = role::admin;
  in.session = std::move(*session);
  co_return in;
}

}  // namespace

asio::awaitable<result<browser_login>> login(services& s, const caller& who, login_proof by) {
  auto proof = std::make_shared<const login_proof>(std::move(by));
  auto in = co_await let_in(s, proof);
  record_login(s, who, *proof, in);
  co_return in;
}

asio::awaitable<result<std::string>> logout(services& s, const caller& who,
                                            std::string cookie_header) {
  const std::string token(s.browsers.token_in(cookie_header));
  if (token.empty()) co_return std::string();
  auto was = std::make_shared<std::optional<security::identity>>();
  // Who it was, and where he goes, is looked up first: afterwards nobody knows.
  auto close = [&s, was, cookie_header, token]() -> result<std::string> {
    security::credentials by;
    by.cookie = cookie_header;
    if (auto found = s.identities.authenticate(by)) *was = std::move(*found);
    auto next = url_after_logout(s, token);
    auto done = tell_removed(s, s.identities.close_session(token));
    if (!done) return done.error();
    return next;
  };
  auto done = co_await on_lane(s.lanes.writes, close);
  if (*was) {
    auto gone = who;
    gone.tenant = (*was)->tenant;
    gone.user = (*was)->user;
    gone.role = (*was)->role == security::role::admin ? role::admin : role::user;
    record_logout(s, gone, "logout", {}, done ? result<void>() : result<void>(done.error()));
  }
  co_return done;
}

std::string session_cookie(const services& s, const secret_string& session) {
  return s.browsers.set_cookie(session, behind_tls(s));
}

std::string cleared_cookie(const services& s, std::string_view cookie_header) {
  return s.browsers.clear_cookie(cookie_header, behind_tls(s));
}

asio::awaitable<result<std::vector<api_key>>> list_keys(services& s, const caller& who) {
  auto list = [&s, tenant = who.tenant] { return s.keys.list(tenant); };
  co_return co_await on_longer(s, who.tenant, std::move(list));
}

asio::awaitable<result<answered<created_key>>> create_key(services& s, admitted& in, once_key once,
                                                          key_wish wanted) {
  auto gate = co_await s.idempotency.enter(in.who(), std::move(once));
  if (!gate) co_return gate.error();
  if (gate->replay) co_return kept_key(*gate);
  const auto now = now_ms();
  if (wanted.expires_at_ms && *wanted.expires_at_ms <= now)
    co_return error(codes::request_invalid, "expires_at must lie in the future");
  const auto& maker = in.who();
  if (wanted.user.empty()) wanted.user = maker.user;
  if (wanted.user != maker.user && maker.role != role::admin)
    co_return error(codes::policy_denied, "only an admin makes keys for others").by_rule("owner");
  security::new_api_key fresh;
  fresh.name = std::move(wanted.name);
  if (wanted.role == role::admin) fresh.role = security::role::admin;
  fresh.tenant = in.who().tenant;
  fresh.user = std::move(wanted.user);
  fresh.expires_at_ms = wanted.expires_at_ms.value_or(0);
  in.changed(difference(fresh));
  security::key_store::keeper keep;
  if (!gate->key.empty())
    keep = [&s, record = s.idempotency.record_of(*gate, 201, {})](
               const api_key& key, const security::document_row& row) mutable {
      record.response_json = encode(key);
      const storage::document_row made[] = {{row.collection, row.key, row.document}};
      return s.node.log.put_idempotency(record, made);
    };
  auto create = [&s, fresh, now, keep]() mutable { return s.keys.create(fresh, now, keep); };
  auto made = co_await on_writes(s, in.who().tenant, create);
  if (!made) {
    auto kept = co_await s.idempotency.find_twin(*gate, made.error());
    if (!kept) co_return kept.error();
    co_return kept_key(*gate);
  }
  created_key out;
  out.key = std::move(made->key);
  out.text = std::move(made->text);
  co_return answered<created_key>(std::move(out), false);
}

asio::awaitable<result<std::vector<sign_in>>> list_sign_ins(services& s, const caller& who) {
  auto list = [&s, who] { return s.browsers.list(who.tenant, &who.user, now_ms()); };
  auto found = co_await on_longer(s, who.tenant, std::move(list));
  if (!found) co_return found.error();
  std::vector<sign_in> out;
  for (auto& one : *found) {
    sign_in shown;
    shown.is_this = who.is_cookie && one.who.cookie_hash == who.cookie_hash;
    shown.id = std::move(one.who.cookie_hash);
    shown.created_at_ms = one.created_at_ms;
    shown.expires_at_ms = one.expires_at_ms;
    out.push_back(std::move(shown));
  }
  co_return out;
}

asio::awaitable<result<void>> close_sign_in(services& s, const caller& who, std::string id) {
  auto close = [&s, who, id] {
    return tell_removed(s, s.identities.close_session_of(who.tenant, who.user, id));
  };
  auto done = co_await on_writes(s, who.tenant, std::move(close));
  record_logout(s, who, "close_sign_in", id, done);
  co_return done;
}

asio::awaitable<result<void>> close_sign_ins(services& s, const caller& who) {
  auto close = [&s, who]() -> result<void> {
    auto all = s.browsers.list(who.tenant, &who.user, now_ms());
    if (!all) return all.error();
    for (const auto& one : *all) {
      auto done =
          tell_removed(s, s.identities.close_session_of(who.tenant, who.user, one.who.cookie_hash));
      if (!done && done.error().code != codes::sign_in_not_found) return done;
    }
    return {};
  };
  auto done = co_await on_writes(s, who.tenant, std::move(close));
  record_logout(s, who, "close_sign_ins", {}, done);
  co_return done;
}

asio::awaitable<result<void>> delete_key(services& s, const admitted& in, std::string id) {
  auto remove = [&s, tenant = in.who().tenant, id] {
    return tell_removed(s, s.identities.remove_key(tenant, id));
  };
  co_return co_await on_writes(s, in.who().tenant, remove);
}

}  // namespace soma::app
