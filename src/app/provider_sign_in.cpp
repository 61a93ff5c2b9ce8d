#include "app/provider_sign_in.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <future>

#include "app/identity_watches.hpp"
#include "app/on_lane.hpp"
#include "app/on_writes.hpp"
#include "app/services.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "observability/log.hpp"
#include "security/identity/authenticator.hpp"
#include "security/identity/users.hpp"
#include "security/secrets/sealed_text.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;
namespace oidc = security::oidc;

error no_provider() {
  return {codes::route_not_found, "no OpenID provider is configured here"};
}

std::string bound_to(std::string_view issuer, std::string_view subject) {
  std::string out = "soma oidc tokens v1\n";
  return out.append(issuer).append("\n").append(subject);
}

// Beside the session's own, and as much this server's.
std::string cookie_name(const services& s) {
  const auto& session = s.browsers.cookie_name();
  return "soma_oidc" + session.substr(security::browser_sessions::plain_cookie_name.size());
}

// The provider sends the browser back from its own site, so it is Lax; it is worth nothing without
// the provider's answer.
std::string cookie_of(const services& s, std::string_view value, std::int64_t seconds) {
  const bool secure = s.provider->party.page().starts_with("https:");
  return cookie_name(s) + '=' + std::string(value) + "; Path=/; HttpOnly; SameSite=Lax" +
         (secure ? "; Secure" : "") + "; Max-Age=" + std::to_string(seconds);
}

security::identity identity_of(const oidc::mapped_user& who) {
  security::identity out;
  out.tenant = who.tenant;
  out.user = who.user;
  out.role = who.role;
  out.via = security::via::cookie;
  out.groups = who.groups;
  return out;
}

void note_refused(const services& s, const error& why) {
  log(log_level::warn, "oidc.refused",
      {{"issuer", s.provider->party.issuer()}, {"code", why.code}, {"reason", why.detail}});
}

security::audit_record record_of(std::string_view what, std::string_view operation) {
  security::audit_record r;
  r.what = what;
  r.operation = operation;
  r.outcome = "done";
  return r;
}

void put_user(security::audit_record& r, const tenant_id& tenant, const user_id& user,
              security::role role) {
  r.tenant_id = tenant.value;
  r.user_id = user.value;
  r.role = security::to_string(role);
}

// `user`: null where it is not known who it was.
void record_sign_in(services& s, const caller& who, std::string_view peer,
                    const oidc::mapped_user* user, const error* why) {
  // Further ones of that address are only counted until its ration is there again.
  if (why && why->code == codes::quota_exceeded) return;
  std::string data;
  json_writer w(data);
  w.begin_object().field("by", "oidc").field("issuer", s.provider->party.issuer());
  w.field("peer", peer).end_object();
  auto r = record_of("auth.login", "oidc_callback");
  r.door = to_string(who.door);
  r.request_id = who.request_id;
  r.trace_id = who.trace_id;
  if (user) put_user(r, user->tenant, user->user, user->role);
  if (why) {
    r.outcome = "failed";
    r.why = why->code;
  }
  r.data_json = std::string_view(data).substr(1, data.size() - 2);
  s.tools.audit.record(r);
}

// `by`: what ended it.
void record_sign_out(services& s, const security::browser_session& one, std::string_view operation,
                     std::string_view by) {
  auto r = record_of("auth.logout", operation);
  r.door = "http";
  r.why = by;
  put_user(r, one.who.tenant, one.who.user, one.who.role);
  s.tools.audit.record(r);
}

// Opens the browser's session for whom the provider let in, unless he is not to come in here.
result<secret_string> open_session(services& s, const oidc::provider_identity& who) {
  const auto known = s.users.find(who.who.tenant, who.who.user);
  if (!known) return known.error();
  if (known->disabled) return error(codes::auth_forbidden, "the user is disabled");
  const auto now = now_ms();
  const auto part = s.provider->part_of(who, now);
  return s.browsers.open(identity_of(who.who), part, s.provider->holds_ms, now);
}

// Ends a sign-in with all that is open for it.
result<void> end_session(services& s, const security::browser_session& one) {
  auto gone = s.identities.close_session_of(one.who.tenant, one.who.user, one.who.cookie_hash);
  s.watches.gone(gone.gone);
  if (!gone.done && gone.done.error().code == codes::sign_in_not_found) return {};
  return std::move(gone.done);
}

bool is_named(const security::browser_session& one, const oidc::logout_notice& by,
              const std::string& issuer, std::int64_t skew_s) {
  const auto& part = *one.provider;
  if (part.issuer != issuer) return false;
  // Who signed in again since then did not sign out.
  if (one.created_at_ms / 1000 > by.issued_at_s + skew_s) return false;
  // One that names a session ends that; one that names only a user ends all of his.
  if (!by.session.empty() && part.session != by.session) return false;
  return by.subject.empty() || part.subject == by.subject;
}

result<void> end_named(services& s, const oidc::logout_notice& by) {
  auto all = s.browsers.list_of_providers(now_ms());
  if (!all) return all.error();
  for (const auto& one : *all)
    if (is_named(one, by, s.provider->party.issuer(), s.provider->party.skew_s())) {
      if (auto done = end_session(s, one); !done) return done;
      record_sign_out(s, one, "oidc_logged_out", "the provider says so");
    }
  return {};
}

bool is_same(const security::identity& before, const oidc::mapped_user& now) {
  return before.tenant == now.tenant && before.user == now.user && before.role == now.role &&
         before.groups == now.groups;
}

// On the lane of writes, whose one thread closes sessions, too.
template <class Work>
void on_writes_and_wait(services& s, Work work) {
  auto done = std::make_shared<std::promise<void>>();
  auto waits = done->get_future();
  if (s.lanes.writes.post([work = std::move(work), done] {
        work();
        done->set_value();
      }))
    waits.wait();
}

}  // namespace

std::string provider_sign_in::seal(const oidc::provider_identity& who) const {
  if (keys.empty()) return {};
  std::string text;
  json_writer w(text);
  w.begin_object().field("id_token", who.id_token);
  w.field("refresh_token", who.refresh_token.reveal()).end_object();
  const secret_string wiped(std::move(text));
  return security::seal(keys.front(), bound_to(party.issuer(), who.subject), wiped.reveal());
}

provider_sign_in::kept_tokens provider_sign_in::unseal(const security::provider_part& of) const {
  kept_tokens out;
  if (of.sealed.empty()) return out;
  for (const auto& key : keys) {
    const auto text = security::unseal(key, bound_to(of.issuer, of.subject), of.sealed);
    if (!text) continue;
    boost::json::error_code ec;
    const auto value = boost::json::parse({text->reveal().data(), text->reveal().size()}, ec);
    if (ec || !value.is_object()) return out;
    out.id_token = text_of(value.get_object(), "id_token");
    out.refresh_token = secret_string(text_of(value.get_object(), "refresh_token"));
    return out;
  }
  return out;
}

security::provider_part provider_sign_in::part_of(const oidc::provider_identity& who,
                                                  std::int64_t now_ms) const {
  return {party.issuer(), who.subject, who.session, seal(who), now_ms};
}

std::string provider_name(const services& s) {
  return s.provider ? s.provider->name : std::string();
}

std::string provider_trouble(const services& s) {
  return s.provider ? s.provider->party.trouble() : std::string();
}

asio::awaitable<result<sign_in_begun>> begin_provider_sign_in(services& s, std::string peer,
                                                              std::string return_to) {
  if (!s.provider) co_return no_provider();
  auto begin = [&party = s.provider->party, return_to] { return party.begin(return_to); };
  auto begun = co_await on_lane(s.provider->waits, std::move(peer), std::move(begin));
  if (!begun) co_return begun.error();
  sign_in_begun out;
  out.url = std::move(begun->url);
  out.cookie = cookie_of(s, begun->cookie, oidc::sign_in_ms_max / 1000);
  co_return out;
}

asio::awaitable<result<sign_in_ended>> finish_provider_sign_in(services& s, const caller& by,
                                                               std::string peer,
                                                               std::string cookie_header,
                                                               oidc::brought_answer answer) {
  if (!s.provider) co_return no_provider();
  const std::string cookie(security::cookie_value(cookie_header, cookie_name(s)));
  auto finish = [&party = s.provider->party, cookie, answer = std::move(answer)] {
    return party.finish(cookie, answer);
  };
  auto ended = co_await on_lane(s.provider->waits, peer, std::move(finish));
  if (!ended) {
    const auto why = ended.error();
    note_refused(s, why);
    ++s.provider->refused;
    record_sign_in(s, by, peer, nullptr, &why);
    if (why.code != codes::auth_invalid) co_return why;
    auto counted = s.identities.attempt(peer, [] { return false; });
    if (counted.has_error() && counted.error().code == codes::quota_exceeded)
      co_return counted.error();
    co_return ended.error();
  }
  const auto who = std::make_shared<const oidc::provider_identity>(std::move(ended->identity));
  auto open = [&s, who] { return open_session(s, *who); };
  auto session = co_await on_writes(s, who->who.tenant, std::move(open));
  if (!session) {
    const auto why = session.error();
    note_refused(s, why);
    ++s.provider->refused;
    record_sign_in(s, by, peer, &who->who, &why);
    co_return why;
  }
  ++s.provider->came_in;
  record_sign_in(s, by, peer, &who->who, nullptr);
  sign_in_ended out;
  out.session = std::move(*session);
  out.url = s.provider->party.page() + ended->return_to;
  co_return out;
}

std::string page_after_failure(const services& s, std::string_view code) {
  const auto page = s.provider ? s.provider->party.page() : std::string();
  return page + "/ui/index.html#signin_failed=" + std::string(code);
}

std::string cleared_sign_in_cookie(const services& s) {
  return s.provider ? cookie_of(s, "", 0) : std::string();
}

asio::awaitable<result<void>> take_provider_logout(services& s, std::string peer,
                                                   std::string token) {
  if (!s.provider) co_return no_provider();
  auto take = [&party = s.provider->party, token = std::move(token)] {
    return party.take_logout(token);
  };
  auto said = co_await on_lane(s.provider->waits, std::move(peer), std::move(take));
  if (!said) {
    note_refused(s, said.error());
    co_return said.error();
  }
  auto end = [&s, by = std::move(*said)] {
    auto done = end_named(s, by);
    if (!done) s.provider->party.give_back(by);
    return done;
  };
  co_return co_await on_lane(s.lanes.writes, std::move(end));
}

renewals renew_provider_sign_ins(services& s, std::int64_t older_than_ms, std::size_t most) {
  renewals out;
  auto all = s.browsers.list_of_providers(now_ms());
  if (!all) return out;
  auto& by = *s.provider;
  // Behind the one that was asked last, so that those who cannot be answered keep nobody waiting.
  const auto next = std::find_if(all->begin(), all->end(), [&](const auto& one) {
    return one.who.cookie_hash > by.asked_last;
  });
  std::rotate(all->begin(), next, all->end());
  for (const auto& one : *all) {
    if (out.asked == most) break;
    if (one.provider->issuer != by.party.issuer()) continue;
    if (now_ms() - one.provider->asked_at_ms < older_than_ms) continue;
    const auto kept = by.unseal(*one.provider);
    if (kept.refresh_token.empty()) continue;
    by.asked_last = one.who.cookie_hash;
    auto now = by.party.renew(kept.refresh_token, one.provider->subject);
    ++out.asked;
    // Who is signed in stays so while the provider is away.
    if (!now && now.error().code == codes::dependency_unavailable) {
      if (by.party.trouble().empty()) continue;
      break;
    }
    const bool says_nothing_new = now && now->id_token.empty();
    if (!now || !(says_nothing_new || is_same(one.who, now->who))) {
      ++out.ended;
      log(log_level::info, "oidc.sign_in_ended",
          {{"reason", now ? "the provider says something else of the user" : now.error().detail}});
      on_writes_and_wait(s, [&s, &one] {
        if (end_session(s, one))
          record_sign_out(s, one, "oidc_renewal", "the provider lets him in no more");
      });
      continue;
    }
    auto part = *one.provider;
    now->subject = part.subject;
    if (says_nothing_new) now->id_token = kept.id_token;
    part.sealed = by.seal(*now);
    part.asked_at_ms = now_ms();
    on_writes_and_wait(
        s, [&s, &one, part] { (void)s.browsers.renew(one.who.cookie_hash, part, now_ms()); });
  }
  return out;
}

}  // namespace soma::app
