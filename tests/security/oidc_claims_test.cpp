#include "security/oidc/claims.hpp"

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <optional>

#include "core/codes.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;
using namespace soma::security::oidc;
namespace json = boost::json;

namespace {

constexpr std::int64_t now = 1'800'000'000;
const token_rules rules{"https://id.example", "soma", 60};
const std::string nonce = "n-0S6_WzA2Mj";

json::object good() {
  return {{"iss", "https://id.example"},
          {"sub", "ann"},
          {"aud", "soma"},
          {"exp", now + 300},
          {"iat", now - 10},
          {"nonce", nonce}};
}

result<void> judge(const json::object& claims, std::string_view typ = {}) {
  return judge_id_token(claims, typ, rules, &nonce, now);
}

json::object with(std::string_view name, json::value value) {
  auto claims = good();
  claims[name] = std::move(value);
  return claims;
}

json::object without(std::string_view name) {
  auto claims = good();
  claims.erase(name);
  return claims;
}

json::object logout() {
  return {{"iss", "https://id.example"},
          {"aud", "soma"},
          {"iat", now},
          {"exp", now + 120},
          {"jti", "1"},
          {"sub", "ann"},
          {"sid", "s1"},
          {"events", {{"http://schemas.openid.net/event/backchannel-logout", json::object()}}}};
}

claim_table table(const std::vector<std::string>& tenants,
                  const std::vector<std::string>& admins = {}, std::string user = "sub") {
  return read_claim_table(tenants, admins, "groups", std::move(user), "oidc-").value();
}

json::object parsed(std::string_view text) {
  return json::parse({text.data(), text.size()}).as_object();
}

}  // namespace

TEST_CASE("ID token: a good one holds, with the clocks a little apart") {
  CHECK(judge(good()));
  CHECK(judge(good(), "JWT"));
  CHECK(judge(with("exp", now - 59)));
  CHECK(judge(with("iat", now + 60)));
  CHECK(judge(with("aud", json::array{"soma"})));
  auto several = with("aud", json::array{"other", "soma"});
  several["azp"] = "soma";
  CHECK(judge(several));
  CHECK(judge(with("exp", 1.8e9 + 10.5)));
}

TEST_CASE(
    "ID token: of another issuer, for another client, of another time or sign-in it is refused") {
  const json::value numbers[] = {"1800000300", nullptr, -1, 1e300, true};
  for (const auto& bad : {with("iss", "https://id.example/"),
                          with("iss", "https://evil.example"),
                          without("iss"),
                          with("iss", json::array{"https://id.example"}),
                          with("aud", "other"),
                          without("aud"),
                          with("aud", json::array()),
                          with("aud", json::array{"other"}),
                          with("aud", json::array{"soma", "other"}),
                          with("azp", "other"),
                          with("azp", 1),
                          with("exp", now - 60),
                          without("exp"),
                          with("iat", now + 61),
                          without("iat"),
                          with("iat", now - issued_ago_s_max - 61),
                          with("nbf", now + 61),
                          with("nbf", "x"),
                          with("nonce", "another"),
                          without("nonce"),
                          with("nonce", ""),
                          without("sub"),
                          with("sub", ""),
                          with("sub", json::string(subject_bytes_max + 1, 's')),
                          with("sub", 7)}) {
    const auto said = judge(bad);
    CHECK_MESSAGE(said.has_error(), json::serialize(bad));
    if (said.has_error()) CHECK(said.error().code == codes::auth_invalid);
  }
  for (const auto& number : numbers) {
    CHECK(judge(with("exp", number)).has_error());
    CHECK(judge(with("iat", number)).has_error());
  }
  CHECK(judge(good(), "logout+jwt").has_error());
  CHECK(judge(good(), "at+jwt").has_error());
  json::array many(audiences_max, "other");
  many.emplace_back("soma");
  auto crowd = with("aud", many);
  crowd["azp"] = "soma";
  CHECK(judge(crowd).has_error());
  // After a refresh there may be no nonce.
  CHECK(judge_id_token(without("nonce"), "", rules, nullptr, now));
}

TEST_CASE("logout token: a good one names who signed out, and nothing else passes for one") {
  const auto said = judge_logout_token(logout(), "logout+jwt", rules, now);
  REQUIRE(said);
  CHECK(said->subject == "ann");
  CHECK(said->session == "s1");
  CHECK(judge_logout_token(good(), "", rules, now).has_error());
  const auto but = [](std::string_view name, std::optional<json::value> value) {
    auto claims = logout();
    claims.erase(name);
    if (value) claims[name] = *value;
    return claims;
  };
  CHECK(judge_logout_token(but("exp", std::nullopt), "", rules, now));
  CHECK(judge_logout_token(but("sid", std::nullopt), "", rules, now));
  CHECK(judge_logout_token(but("sub", std::nullopt), "", rules, now));
  for (const auto& bad :
       {but("events", std::nullopt), but("events", json::object()), but("nonce", "n"),
        but("jti", std::nullopt), but("jti", json::string(jti_bytes_max + 1, 'j')),
        but("aud", "other"), but("iss", "https://evil.example"), but("exp", now - 61),
        but("iat", now - issued_ago_s_max - 61), but("iat", std::nullopt)})
    CHECK_MESSAGE(judge_logout_token(bad, "", rules, now).has_error(), json::serialize(bad));
  auto nobody = but("sub", std::nullopt);
  nobody.erase("sid");
  CHECK(judge_logout_token(nobody, "", rules, now).has_error());
}

TEST_CASE("claims: the first row that fits says the tenant, and whom none fits is refused") {
  const auto by = table({"hd=acme.example -> acme", "groups=staff -> default"},
                        {"groups=soma-admins", "realm_access.roles=admin"});
  auto who = map_claims(parsed(R"({"sub":"ann","hd":"acme.example","groups":["staff"]})"), by);
  REQUIRE(who);
  CHECK(who->tenant.value == "acme");
  CHECK(who->user.value == "oidc-ann");
  CHECK(who->role == role::user);
  CHECK(who->groups == std::vector<std::string>{"staff"});
  who = map_claims(
      parsed(R"({"sub":"bob","groups":["staff","x"],"realm_access":{"roles":["admin"]}})"), by);
  REQUIRE(who);
  CHECK(who->tenant.value == "default");
  CHECK(who->role == role::admin);
  for (const char* stranger : {R"({"sub":"eve"})", R"({"sub":"eve","hd":"acme.example.evil"})",
                               R"({"sub":"eve","hd":["x"]})", R"({"sub":"eve","groups":"staffer"})",
                               R"({"sub":"eve","groups":{"staff":true}})"})
    CHECK_MESSAGE(map_claims(parsed(stranger), by).error().code == codes::auth_forbidden, stranger);
  CHECK(map_claims(parsed(R"({"sub":"ann"})"), table({"* -> default"})));
}

TEST_CASE("claims: an address counts where its owner showed it to be his") {
  const auto by = table({"email=ann@acme.example -> acme"});
  CHECK(map_claims(parsed(R"({"sub":"a","email":"ann@acme.example","email_verified":true})"), by));
  CHECK_FALSE(map_claims(parsed(R"({"sub":"a","email":"ann@acme.example"})"), by));
  CHECK_FALSE(
      map_claims(parsed(R"({"sub":"a","email":"ann@acme.example","email_verified":false})"), by));
  const auto named = table({"* -> acme"}, {}, "email");
  CHECK_FALSE(map_claims(parsed(R"({"sub":"a","email":"ann@acme.example"})"), named));
}

TEST_CASE("claims: no two names give one id, and none gives an id of somebody else's") {
  CHECK(id_part("ann") == "ann");
  CHECK(id_part("auth0|12") == "auth0_7c12");
  CHECK(id_part("a_b") == "a_5fb");
  CHECK(id_part("a b") != id_part("a_20b"));
  CHECK(id_part("\xc3\xbc") == "_c3_bc");
  const auto by = table({"* -> default"});
  CHECK(map_claims(parsed(R"({"sub":"admin"})"), by)->user.value == "oidc-admin");
  json::object long_one{{"sub", json::string(200, 'x')}};
  CHECK(map_claims(long_one, by).error().code == codes::auth_forbidden);
  CHECK_FALSE(map_claims(parsed(R"({"sub":["a"]})"), by));
}

TEST_CASE("claims: groups are taken whole or not at all") {
  const auto by = table({"* -> default"});
  CHECK(map_claims(parsed(R"({"sub":"a","groups":"one"})"), by)->groups.size() == 1);
  CHECK(map_claims(parsed(R"({"sub":"a","groups":null})"), by)->groups.empty());
  CHECK_FALSE(map_claims(parsed(R"({"sub":"a","groups":["one",2]})"), by));
  json::array many(groups_max + 1, "g");
  CHECK_FALSE(map_claims(json::object{{"sub", "a"}, {"groups", many}}, by));
  CHECK_FALSE(map_claims(
      json::object{{"sub", "a"}, {"groups", json::string(group_bytes_max + 1, 'g')}}, by));
}

TEST_CASE("claims: a row that is none is named") {
  for (const char* bad : {"", "groups=a", "groups -> a", "=a -> b", "groups= -> b", "a=b -> ",
                          "a=b -> two words", "a=b -> .x"})
    CHECK_MESSAGE(
        read_claim_table({bad}, {}, "", "sub", "oidc-").error().code == codes::config_invalid, bad);
  for (const char* bad : {"*", "", "groups", "=x", "x="})
    CHECK(read_claim_table({"* -> a"}, {bad}, "", "sub", "oidc-").has_error());
  for (const char* bad : {"", "_a", "-a", "a_", "a b", "a|"})
    CHECK(read_claim_table({"* -> a"}, {}, "", "sub", bad).has_error());
  const auto url = read_claim_table({"https://x.example/role=a=b -> t"}, {}, "", "sub", "p-");
  REQUIRE(url);
  CHECK(url->tenants[0].claim == "https://x.example/role");
  CHECK(url->tenants[0].value == "a=b");
}
