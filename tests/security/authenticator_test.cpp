#include "security/identity/authenticator.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "security/memory_documents.hpp"
#include "security/policy/policy.hpp"
#include "support/result_text.hpp"

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
  user_store users{documents};
  authenticator door{keys,
                     sessions,
                     tickets,
                     secret_string("open-sesame"),
                     [this] { return now.load(); },
                     [](auto job) { job(); },
                     &users};

  made_api_key key(std::int64_t expires = 0) {
    return keys.create({"ci", role::user, tenant_id{"acme"}, user_id{"ann"}, expires}, now).value();
  }
  result<identity> bearer(std::string_view text, std::string_view peer = "p") {
    const std::string header = "Bearer " + std::string(text);
    return door.authenticate({header, {}, {}, {}, peer});
  }
};

// Whether what was let in by these is to end.
bool ends(const gone_identity& gone, std::string_view key, std::string_view cookie) {
  return (!gone.key_id.empty() && key == gone.key_id) ||
         (!gone.cookie_hash.empty() && cookie == gone.cookie_hash);
}

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

TEST_CASE(
    "authenticator: a short admin key is told to nobody who has to wait, though it is in use") {
  world w;
  CHECK(w.bearer("open-sesame", "192.0.2.1").has_value());
  for (int i = 0; i < authenticator::failures_max; ++i) w.bearer("guess", "192.0.2.9");
  // What is right is answered as what is wrong: he cannot go on guessing at full speed.
  CHECK(w.bearer("open-sesame", "192.0.2.9").error().code == codes::quota_exceeded);
  CHECK(w.bearer("open-sesama", "192.0.2.9").error().code == codes::quota_exceeded);
  CHECK(w.bearer("open-sesame", "192.0.2.1").has_value());
  CHECK(w.bearer("open-sesame", "192.0.2.2").has_value());
}

TEST_CASE("authenticator: waits grow for whoever goes on, and good keys come in meanwhile") {
  world w;
  const auto made = w.key();
  for (const int wait : {60, 120, 240, 480, 960, 960}) {
    int tried = 0;
    while (w.bearer("guess", "2001:db8::1").error().code == codes::auth_invalid) ++tried;
    CHECK(tried <= authenticator::failures_max);
    CHECK(w.bearer("guess", "2001:db8::2").error().retry_after_s == wait);
    CHECK(w.bearer(made.text.reveal(), "2001:db8::1").has_value());
    CHECK(w.bearer("guess", "192.0.2.1").error().code == codes::auth_invalid);
    w.now += wait * 1000;
  }
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
  CHECK(ends(closed.gone, who->key_id, who->cookie_hash));
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
  CHECK(ends(closed.gone, browser.key_id, browser.cookie_hash));
  CHECK_FALSE(ends(closed.gone, who.key_id, who.cookie_hash));
  const auto removed = w.door.remove_key(made.key.tenant, made.key.id);
  CHECK(removed.done.has_value());
  CHECK(ends(removed.gone, who.key_id, who.cookie_hash));
  CHECK(ends(removed.gone, browser.key_id, browser.cookie_hash));
  CHECK_FALSE(ends(removed.gone, {}, {}));
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

TEST_CASE("authenticator: a disabled user comes in by nothing, and again once he may") {
  world w;
  const auto key = w.key();
  const tenant_id acme{"acme"};
  const user_id ann{"ann"};
  const auto who = w.bearer(key.text.reveal());
  REQUIRE(who);
  const auto cookie = w.sessions.open(*who, w.now).value();
  const auto brought = w.sessions.cookie_name() + "=" + std::string(cookie.reveal());
  const session_id session("00000000-0000-4000-8000-000000000001");
  const auto ticket = w.tickets.issue({{acme, session}, ann, w.now + 5000, key.key.id});
  const auto codes_of = [&] {
    std::vector<std::string> out;
    for (const auto& found :
         {w.bearer(key.text.reveal(), "x"), w.door.authenticate({{}, brought, {}, {}, "y"}),
          w.door.authenticate({{}, {}, ticket, session, "z"})})
      out.push_back(found ? std::string() : std::string(found.error().code));
    return out;
  };
  const std::vector<std::string> all_in{"", "", ""};
  CHECK(codes_of() == all_in);
  auto changed = w.door.change_user(acme, ann, {true, {}});
  REQUIRE(changed.now);
  CHECK(changed.now->disabled);
  CHECK(changed.gone.user == ann);
  CHECK(changed.gone.tenant == acme);
  CHECK(codes_of() == std::vector<std::string>{std::string(codes::auth_invalid),
                                               std::string(codes::auth_invalid),
                                               std::string(codes::ticket_invalid)});
  // Another tenant's of that name goes on.
  const auto other = w.keys.create({"ci", role::user, tenant_id{"other"}, ann, 0}, w.now).value();
  CHECK(w.bearer(other.text.reveal()));
  changed = w.door.change_user(acme, ann, {false, {}});
  REQUIRE(changed.now);
  CHECK(changed.gone.user.empty());  // nothing has to end
  CHECK(codes_of() == all_in);
}

TEST_CASE("authenticator: a user's role bounds what his keys say, and makes none an admin's") {
  world w;
  const tenant_id acme{"acme"};
  const user_id ann{"ann"};
  const auto admin = w.keys.create({"a", role::admin, acme, ann, 0}, w.now).value();
  const auto plain = w.key();
  CHECK(w.bearer(admin.text.reveal())->role == role::admin);
  CHECK(w.door.change_user(acme, ann, {{}, role::user}).gone.user == ann);
  CHECK(w.bearer(admin.text.reveal())->role == role::user);
  CHECK(w.door.change_user(acme, ann, {{}, role::admin}).gone.user.empty());
  CHECK(w.bearer(admin.text.reveal())->role == role::admin);
  CHECK(w.bearer(plain.text.reveal())->role == role::user);
}

TEST_CASE(
    "authenticator: a key that another process revoked is believed no longer than it was told") {
  world w;
  w.door.believe_for(1'000);
  const auto key = w.key();
  REQUIRE(w.bearer(key.text.reveal()));
  // As another node's record would have it, of which this one is not told.
  const auto rows = w.documents.list("keys").value();
  REQUIRE(rows.size() == 1);
  REQUIRE(w.documents.remove("keys", rows[0].first));
  w.now += 999;
  CHECK(w.bearer(key.text.reveal()));
  w.now += 1;
  CHECK_FALSE(w.bearer(key.text.reveal()));
}

TEST_CASE("authenticator: a visit is noted now and then, and brings nothing back") {
  world w;
  const auto key = w.key();
  const tenant_id acme{"acme"};
  const user_id ann{"ann"};
  w.now = 5'000'000;
  REQUIRE(w.bearer(key.text.reveal()));
  CHECK(w.users.find(acme, ann)->last_seen_at_ms == 5'000'000);
  w.now += authenticator::cache_ttl_ms + 1;
  REQUIRE(w.bearer(key.text.reveal()));
  CHECK(w.users.find(acme, ann)->last_seen_at_ms == 5'000'000);
  REQUIRE(w.door.change_user(acme, ann, {true, {}}).now);
  REQUIRE(w.users.touch({acme, ann, false, {}, 0}, w.now));
  CHECK(w.users.find(acme, ann)->disabled);
  CHECK(w.users.list(acme)->size() == 1);
  CHECK(w.users.list(tenant_id{"other"})->empty());
}

TEST_CASE("authenticator: a sign-in is ended by its id, by its user alone") {
  world w;
  const auto who = w.bearer(w.key().text.reveal()).value();
  const auto cookie = w.sessions.open(who, w.now).value();
  const auto brought = w.sessions.cookie_name() + "=" + std::string(cookie.reveal());
  const auto mine = w.sessions.list(who.tenant, &who.user, w.now).value();
  REQUIRE(mine.size() == 1);
  const auto id = mine[0].who.cookie_hash;
  CHECK(mine[0].created_at_ms == w.now);
  const user_id eve{"eve"};
  CHECK(w.sessions.list(who.tenant, &eve, w.now)->empty());
  auto gone = w.door.close_session_of(who.tenant, eve, id);
  CHECK(gone.done.error().code == codes::sign_in_not_found);
  CHECK(gone.gone.cookie_hash.empty());
  CHECK(w.door.authenticate({{}, brought, {}, {}, "p"}));
  gone = w.door.close_session_of(who.tenant, who.user, id);
  REQUIRE(gone.done);
  CHECK(gone.gone.cookie_hash == id);
  CHECK(w.door.authenticate({{}, brought, {}, {}, "p"}).error().code == codes::auth_invalid);
}
