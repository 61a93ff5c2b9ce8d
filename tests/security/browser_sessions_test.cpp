#include "security/identity/browser_sessions.hpp"

#include <doctest/doctest.h>

#include "security/memory_documents.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;

namespace {
const secret_string server_key(std::string(32, 'k'));
const identity ann{tenant_id{"acme"}, user_id{"ann"}, {}, role::admin, via::api_key, {}};
}  // namespace

TEST_CASE("browser session: survives a restart, expires, and is gone after logout") {
  memory_documents documents;
  const auto token = browser_sessions(documents, server_key, 1000).open(ann, 0).value();
  browser_sessions sessions(documents, server_key, 1000);
  const auto found = sessions.find(token.reveal(), 999);
  REQUIRE(found.has_value());
  CHECK(found->who.user.value == "ann");
  CHECK(found->who.role == role::admin);
  CHECK(found->who.via == via::cookie);
  CHECK(sessions.find(token.reveal(), 1000).error().code == codes::auth_invalid);
  CHECK(sessions.close(token.reveal()).has_value());
  CHECK(sessions.find(token.reveal(), 1).error().code == codes::auth_invalid);
}

TEST_CASE("browser session: the store holds no token, and sweeping leaves what still holds") {
  memory_documents documents;
  browser_sessions sessions(documents, server_key, 1000);
  const auto old = sessions.open(ann, 0).value();
  const auto young = sessions.open(ann, 500).value();
  for (const auto& [id, json] : documents.list("browser_sessions").value()) {
    CHECK((id + json).find(old.reveal()) == std::string::npos);
    CHECK((id + json).find(young.reveal()) == std::string::npos);
  }
  CHECK(sessions.sweep(1200).value() == 1);
  CHECK(sessions.find(young.reveal(), 1200).has_value());
}

TEST_CASE("browser session: the cookie is strict, and is found among others") {
  memory_documents documents;
  browser_sessions sessions(documents, server_key, 3'600'000);
  const secret_string token("abc");
  const auto& name = sessions.cookie_name();
  CHECK(sessions.set_cookie(token, true) ==
        name + "=abc; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=3600");
  CHECK(sessions.set_cookie(token, false).find("Secure") == std::string::npos);
  CHECK(sessions.token_in("a=1; " + name + "=xyz; b=2") == "xyz");
  CHECK(sessions.token_in(name + "=xyz") == "xyz");
  CHECK(sessions.token_in("soma_session=xyz") == "xyz");
  CHECK(sessions.token_in("soma_session=old; " + name + "=new") == "new");
  for (const char* none : {"", "soma_session", "xsoma_session=1", "Soma_session=1", ";;; ="})
    CHECK(sessions.token_in(none).empty());
}

TEST_CASE("browser session: servers of one host keep apart, and clear what was brought") {
  memory_documents documents;
  browser_sessions one(documents, server_key, 1000);
  browser_sessions other(documents, secret_string("the key of another server"), 1000);
  CHECK(one.cookie_name() != other.cookie_name());
  CHECK(one.cookie_name() == browser_sessions(documents, server_key, 1000).cookie_name());
  CHECK(other.token_in(one.cookie_name() + "=abc").empty());
  const auto cleared = [&](const std::string& header) { return one.clear_cookie(header, false); };
  const auto gone = "=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0";
  CHECK(cleared(one.cookie_name() + "=a; soma_session=b") == one.cookie_name() + gone);
  CHECK(cleared("soma_session=b") == std::string("soma_session") + gone);
}

TEST_CASE(
    "browser session: one that a provider vouched for says so, and holds no longer than said") {
  memory_documents documents;
  browser_sessions sessions(documents, server_key, 10'000);
  identity who = ann;
  who.groups = {"staff", "x"};
  const provider_part by{"https://id.example", "sub", "sid", "v1.sealed", 5};
  const auto token = sessions.open(who, by, 1000, 0).value();
  const auto found = sessions.find(token.reveal(), 999).value();
  CHECK(found.who.groups == who.groups);
  REQUIRE(found.provider);
  CHECK(found.provider->subject == "sub");
  CHECK(found.provider->session == "sid");
  CHECK(found.provider->sealed == "v1.sealed");
  CHECK(sessions.find(token.reveal(), 1000).has_error());
  (void)sessions.open(ann, 0).value();
  CHECK(sessions.list_of_providers(500).value().size() == 1);
  auto later = by;
  later.asked_at_ms = 77;
  CHECK(sessions.renew(sessions.id_of(token.reveal()), later, 500));
  CHECK(sessions.find(token.reveal(), 500)->provider->asked_at_ms == 77);
  CHECK(sessions.find(token.reveal(), 999)->who.groups == who.groups);
  // One that is gone does not come back.
  CHECK(sessions.close(token.reveal()));
  CHECK(sessions.renew(sessions.id_of(token.reveal()), later, 500));
  CHECK(sessions.find(token.reveal(), 500).has_error());
}
