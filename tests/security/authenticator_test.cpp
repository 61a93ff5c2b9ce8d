#include "security/identity/authenticator.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "security/memory_documents.hpp"
#include "security/policy/policy.hpp"

using namespace soma;
using namespace soma::security;

namespace {

struct world {
  std::atomic<std::int64_t> now = 1000;
  memory_documents documents;
  secret_string server_key{std::string(32, 'k')};
  key_store keys{documents, server_key};
  browser_sessions sessions{documents, server_key, 1'000'000};
  ticket_office tickets{server_key};
  authenticator door{keys, sessions, tickets, secret_string("open-sesame"),
                     [this] { return now.load(); }};

  made_api_key key(std::int64_t expires = 0) {
    return keys.create({"ci", role::user, tenant_id{"acme"}, user_id{"ann"}, expires}, now).value();
  }
  result<identity> bearer(std::string_view text, std::string_view peer = "p") {
    const std::string header = "Bearer " + std::string(text);
    return door.authenticate({header, {}, {}, {}, peer});
  }
};

}  // namespace

TEST_CASE("authenticator: nothing brought is auth.required, and no failure of the peer's") {
  world w;
  for (int i = 0; i < 100; ++i)
    CHECK(w.door.authenticate({{}, "other=1", {}, {}, "p"}).error().code == codes::auth_required);
  CHECK(w.bearer("open-sesame").has_value());
}

TEST_CASE("authenticator: the admin key is the default tenant's admin") {
  world w;
  const auto who = w.bearer("open-sesame").value();
  CHECK(who.tenant.value == "default");
  CHECK(who.user.value == "admin");
  CHECK(who.role == role::admin);
  CHECK(w.bearer("open-sesam").error().code == codes::auth_invalid);
  CHECK(w.bearer("").error().code == codes::auth_invalid);
}

TEST_CASE("authenticator: an unset admin key lets an empty key in nowhere") {
  world w;
  authenticator door(w.keys, w.sessions, w.tickets, secret_string(), [] { return 0; });
  for (const char* header : {"Bearer ", "bearer  ", "Basic abc", "x"})
    CHECK(door.authenticate({header, {}, {}, {}, "p"}).error().code == codes::auth_invalid);
  CHECK(door.authenticate({"Bearer", {}, {}, {}, "p"}).error().code == codes::auth_required);
}

TEST_CASE("authenticator: a wrong key is not passed over in favour of a good cookie") {
  world w;
  const auto who = w.bearer("open-sesame").value();
  const auto token = w.sessions.open(who, w.now).value();
  const std::string cookie = "soma_session=" + std::string(token.reveal());
  CHECK(w.door.authenticate({{}, cookie, {}, {}, "p"}).has_value());
  CHECK(w.door.authenticate({"Bearer wrong", cookie, {}, {}, "p"}).has_error());
}

TEST_CASE("authenticator: a ticket reads its session and no other") {
  world w;
  const auto text = w.tickets.issue({{tenant_id{"acme"}, session_id{"s"}}, user_id{"ann"}, 5000});
  const auto who = w.door.authenticate({{}, {}, text, session_id{"s"}, "p"}).value();
  CHECK(who.only_session == session_id{"s"});
  CHECK(w.door.authenticate({{}, {}, text, session_id{"t"}, "p"}).error().code ==
        codes::ticket_invalid);
}

TEST_CASE("authenticator: a hot key is read once, and forgotten when it is removed") {
  world w;
  const auto made = w.key();
  CHECK(w.bearer(made.text.reveal()).has_value());
  const int reads = w.documents.reads;
  for (int i = 0; i < 10; ++i) CHECK(w.bearer(made.text.reveal()).has_value());
  CHECK(w.documents.reads == reads);
  CHECK(w.door.remove_key(tenant_id{"acme"}, made.key.id).done.has_value());
  CHECK(w.bearer(made.text.reveal()).error().code == codes::auth_invalid);
}

TEST_CASE("authenticator: who names a key of another tenant ends nothing of theirs") {
  world w;
  const auto made = w.key();
  CHECK(w.bearer(made.text.reveal()).has_value());
  const auto tried = w.door.remove_key(tenant_id{"other"}, made.key.id);
  CHECK(tried.done.error().code == codes::key_not_found);
  CHECK(tried.gone.key_id.empty());
  CHECK(w.door.remove_key(tenant_id{"acme"}, made.key.id).gone.key_id == made.key.id);
}

TEST_CASE("authenticator: a cached key still expires on time") {
  world w;
  const auto made = w.key(2000);
  CHECK(w.bearer(made.text.reveal()).has_value());
  w.now = 1999;
  CHECK(w.bearer(made.text.reveal()).has_value());
  w.now = 2000;
  CHECK(w.bearer(made.text.reveal()).has_error());
}

TEST_CASE("authenticator: a browser that signed in with a key goes with it") {
  world w;
  const auto made = w.key();
  const auto token = w.sessions.open(w.bearer(made.text.reveal()).value(), w.now).value();
  const std::string cookie = "soma_session=" + std::string(token.reveal());
  CHECK(w.door.authenticate({{}, cookie, {}, {}, "p"}).has_value());
  CHECK(w.door.remove_key(tenant_id{"acme"}, made.key.id).done.has_value());
  CHECK(w.door.authenticate({{}, cookie, {}, {}, "p"}).has_error());
}

TEST_CASE("authenticator: logout ends a cached session") {
  world w;
  const auto token = w.sessions.open(w.bearer("open-sesame").value(), w.now).value();
  const std::string cookie = "soma_session=" + std::string(token.reveal());
  CHECK(w.door.authenticate({{}, cookie, {}, {}, "p"}).has_value());
  CHECK(w.door.close_session(token.reveal()).done.has_value());
  CHECK(w.door.authenticate({{}, cookie, {}, {}, "p"}).has_error());
}

TEST_CASE("authenticator: a peer that fails too often waits, and others do not") {
  world w;
  for (int i = 0; i < authenticator::failures_max; ++i)
    CHECK(w.bearer("guess", "bad").error().code == codes::auth_invalid);
  const auto refused = w.bearer("open-sesame", "bad");
  CHECK(refused.error().code == codes::quota_exceeded);
  CHECK(refused.error().retry_after_s == 60);
  CHECK(w.bearer("open-sesame", "good").has_value());
  w.now += authenticator::failure_window_ms;
  CHECK(w.bearer("open-sesame", "bad").has_value());
}

TEST_CASE("authenticator: who was let in is not locked out by others of the same address") {
  world w;
  const auto made = w.key();
  CHECK(w.bearer(made.text.reveal(), "proxy").has_value());
  CHECK(w.bearer("open-sesame", "proxy").has_value());
  for (int i = 0; i < authenticator::failures_max; ++i) w.bearer("guess", "proxy");
  CHECK(w.bearer("guess", "proxy").error().code == codes::quota_exceeded);
  w.now += authenticator::failure_window_ms / 2;
  CHECK(w.bearer(made.text.reveal(), "proxy").has_value());
  CHECK(w.bearer("open-sesame", "proxy").has_value());
  CHECK(w.door.remove_key(made.key.tenant, made.key.id).done.has_value());
  CHECK(w.bearer(made.text.reveal(), "proxy").has_error());
}

TEST_CASE("authenticator: proofs judged elsewhere count with the others") {
  world w;
  for (int i = 0; i < authenticator::failures_max; ++i)
    CHECK(w.door.attempt("bad", [] { return false; }).error().code == codes::auth_invalid);
  CHECK(w.door.attempt("bad", [] { return false; }).error().code == codes::quota_exceeded);
  CHECK(w.door.attempt("good", [] { return true; }).has_value());
  // A link that is good cannot have been guessed.
  CHECK(w.door.attempt("bad", [] { return true; }).has_value());
}

TEST_CASE("authenticator: what cannot be guessed is let in from an address of many failures") {
  world w;
  const auto made = w.key();
  const auto cookie =
      "soma_session=" +
      std::string(w.sessions.open(w.bearer("open-sesame").value(), w.now).value().reveal());
  const auto ticket =
      w.tickets.issue({{tenant_id{"acme"}, session_id{"s"}}, user_id{"ann"}, 5000, made.key.id});
  authenticator door(w.keys, w.sessions, w.tickets, secret_string("an admin key of many letters"),
                     [&w] { return w.now.load(); });
  for (int i = 0; i <= authenticator::failures_max; ++i)
    (void)door.authenticate({"Bearer guess", {}, {}, {}, "proxy"});
  CHECK(door.authenticate({"Bearer guess", {}, {}, {}, "proxy"}).error().code ==
        codes::quota_exceeded);
  const auto bearer = "Bearer " + std::string(made.text.reveal());
  CHECK(door.authenticate({bearer, {}, {}, {}, "proxy"}).has_value());
  CHECK(
      door.authenticate({"Bearer an admin key of many letters", {}, {}, {}, "proxy"}).has_value());
  CHECK(door.authenticate({{}, cookie, {}, {}, "proxy"}).has_value());
  CHECK(door.authenticate({{}, {}, ticket, session_id{"s"}, "proxy"}).has_value());
  // Where the admin key is short, keys of ours still are: only guesses at it wait.
  for (int i = 0; i <= authenticator::failures_max; ++i) w.bearer("guess", "proxy");
  CHECK(w.bearer(made.text.reveal(), "proxy").has_value());
  CHECK(w.bearer("soma_aaaaaaaa_wrong", "proxy").error().code == codes::quota_exceeded);
}

TEST_CASE("authenticator: a ticket goes with the key it was asked for with") {
  world w;
  const auto made = w.key(3000);
  const auto ticket =
      w.tickets.issue({{tenant_id{"acme"}, session_id{"s"}}, user_id{"ann"}, 5000, made.key.id});
  const auto who = w.door.authenticate({{}, {}, ticket, session_id{"s"}, "p"});
  REQUIRE(who.has_value());
  CHECK(who->key_id == made.key.id);
  CHECK(who->expires_at_ms == 3000);
  CHECK(w.door.authenticate({{}, {}, ticket, session_id{"s"}, "p"}).has_value());
  CHECK(w.door.remove_key(tenant_id{"acme"}, made.key.id).done.has_value());
  CHECK(w.door.authenticate({{}, {}, ticket, session_id{"s"}, "p"}).error().code ==
        codes::ticket_invalid);
}

TEST_CASE(
    "authenticator: a ticket goes with the browser that asked for it, also before this start") {
  world w;
  const auto admin = w.bearer("open-sesame").value();  // a sign-in without a key
  const auto token = w.sessions.open(admin, w.now).value();
  const std::string cookie = "soma_session=" + std::string(token.reveal());
  const auto browser = w.door.authenticate({{}, cookie, {}, {}, "p"}).value();
  ticket_claims claims{{admin.tenant, session_id{"s"}}, admin.user, 5'000'000};
  claims.cookie_hash = browser.cookie_hash;
  const auto ticket = w.tickets.issue(claims);
  const auto who = w.door.authenticate({{}, {}, ticket, session_id{"s"}, "p"});
  REQUIRE(who.has_value());
  CHECK(who->expires_at_ms == browser.expires_at_ms);  // before its own time
  const auto known = w.door.cached({{}, {}, ticket, session_id{"s"}, "p"});
  REQUIRE(known.has_value());
  CHECK(known->value().expires_at_ms == browser.expires_at_ms);
  authenticator other(w.keys, w.sessions, w.tickets, secret_string("open-sesame"),
                      [&w] { return w.now.load(); });
  const auto closed = w.door.close_session(token.reveal());
  CHECK(closed.done.has_value());
  CHECK(closed.gone.is(who->key_id, who->cookie_hash));
  for (auto* door : {&w.door, &other})
    CHECK(door->authenticate({{}, {}, ticket, session_id{"s"}, "p"}).error().code ==
          codes::ticket_invalid);
}

TEST_CASE("authenticator: it tells what is gone, and an identity says when it ends") {
  world w;
  const auto made = w.key(5000);
  const auto who = w.bearer(made.text.reveal()).value();
  CHECK(who.expires_at_ms == 5000);
  const auto token = w.sessions.open(who, w.now).value();
  const std::string cookie = "soma_session=" + std::string(token.reveal());
  const auto browser = w.door.authenticate({{}, cookie, {}, {}, "p"}).value();
  CHECK(browser.expires_at_ms == 5000);  // with the key, before its own time
  const auto closed = w.door.close_session(token.reveal());
  CHECK(closed.done.has_value());
  CHECK(closed.gone.is(browser.key_id, browser.cookie_hash));
  CHECK_FALSE(closed.gone.is(who.key_id, who.cookie_hash));
  const auto removed = w.door.remove_key(made.key.tenant, made.key.id);
  CHECK(removed.done.has_value());
  CHECK(removed.gone.is(who.key_id, who.cookie_hash));
  CHECK(removed.gone.is(browser.key_id, browser.cookie_hash));
  CHECK_FALSE(removed.gone.is({}, {}));
}

TEST_CASE("authenticator: a store that fails lets nobody in and counts against nobody") {
  world w;
  const auto made = w.key();
  w.documents.failing = true;
  for (int i = 0; i < 50; ++i)
    CHECK(w.bearer(made.text.reveal()).error().code == codes::storage_unavailable);
  w.documents.failing = false;
  CHECK(w.bearer(made.text.reveal()).has_value());
}

TEST_CASE("authenticator: a removed key stays out however many threads use it") {
  world w;
  for (int round = 0; round < 50; ++round) {
    const auto made = w.key();
    std::atomic<bool> removed = false, stop = false;
    std::atomic<int> let_in_late = 0;
    std::vector<std::thread> users;
    for (int t = 0; t < 3; ++t)
      users.emplace_back([&, peer = std::to_string(round * 3 + t)] {
        while (!stop) {
          const bool was_removed = removed;
          if (w.bearer(made.text.reveal(), peer).has_value() && was_removed) ++let_in_late;
          if (was_removed) return;
        }
      });
    CHECK(w.door.remove_key(tenant_id{"acme"}, made.key.id).done.has_value());
    removed = true;
    for (auto& user : users) user.join();
    CHECK(let_in_late == 0);
  }
}
