#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <functional>
#include <map>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "security/oidc/relying_party.hpp"
#include "security/oidc_signer.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;
using namespace soma::security::oidc;
namespace json = boost::json;

namespace {

const std::string issuer = "https://id.example";
const secret_string server_key(std::string(32, 'k'));

std::string member_of(std::string_view form, std::string_view name) {
  const auto at = ('&' + std::string(form)).find('&' + std::string(name) + '=');
  if (at == std::string::npos) return {};
  const auto rest = form.substr(at + name.size() + 1);
  return std::string(rest.substr(0, rest.find('&')));
}

std::string parameter_of(const std::string& url, std::string_view name) {
  return member_of(std::string_view(url).substr(url.find('?') + 1), name);
}

// A provider, with the browser that goes there and comes back.
struct world {
  std::int64_t now_ms = 1'800'000'000'000;
  signer key{algorithm::es256, "one"};
  std::string keys = key_set_of({key.jwk()});
  std::string documents = R"({"issuer":"https://id.example",
      "authorization_endpoint":"https://id.example/auth","token_endpoint":"https://id.example/token",
      "jwks_uri":"https://id.example/keys","end_session_endpoint":"https://id.example/end?x=1"})";
  json::object claims;
  std::string token;  // what it answers with in place of one it signs
  std::string refused;
  bool away = false;
  std::map<std::string, int> asked;  // by path
  http_request last;
  relying_options options;
  std::unique_ptr<relying_party> made;

  world() {
    options.provider.issuer = issuer;
    options.provider.client_id = "soma";
    options.scopes = {"openid", "groups"};
    options.page = "https://soma.example";
    options.table =
        read_claim_table({"* -> default"}, {"groups=admins"}, "groups", "sub", "oidc-").value();
  }

  relying_party& party() {
    if (!made)
      made = std::make_unique<relying_party>(
          options, server_key, [this](const http_request& what) { return answer(what); },
          [this] { return now_ms; });
    return *made;
  }

  http_reply answer(const http_request& what) {
    last = what;
    const auto path = what.url.substr(issuer.size());
    ++asked[path];
    if (away) return {0, {}, "nobody answers"};
    if (path == "/.well-known/openid-configuration") return {200, documents, {}};
    if (path == "/keys") return {200, keys, {}};
    if (path != "/token") return {404, {}, {}};
    if (!refused.empty()) return {400, R"({"error":")" + refused + "\"}", {}};
    json::object out{{"id_token", token.empty() ? key.token(json::serialize(claims)) : token},
                     {"refresh_token", "rt-1"},
                     {"access_token", "at-1"}};
    return {200, json::serialize(out), {}};
  }

  // The claims of a good token for the sign-in that was begun.
  void will_say(const relying_party::begun& begun) {
    claims = {{"iss", issuer},
              {"sub", "ann"},
              {"aud", "soma"},
              {"iat", now_ms / 1000},
              {"exp", now_ms / 1000 + 300},
              {"sid", "s1"},
              {"groups", json::array{"admins"}},
              {"nonce", parameter_of(begun.url, "nonce")}};
  }

  relying_party::begun begin() {
    auto begun = party().begin("/ui/index.html#s=1");
    REQUIRE(begun);
    will_say(*begun);
    return std::move(*begun);
  }

  static brought_answer back(const relying_party::begun& begun) {
    return {"code-1", parameter_of(begun.url, "state"), {}, {}};
  }
  result<relying_party::ended> finish(const relying_party::begun& begun) {
    return party().finish(begun.cookie, back(begun));
  }
  std::string why(const relying_party::begun& begun) {
    auto ended = finish(begun);
    return ended ? "it ended well" : std::string(ended.error().code);
  }
};

}  // namespace

TEST_CASE("sign-in by a provider: goes there with PKCE, comes back, and is who the token says") {
  world w;
  const auto begun = w.begin();
  CHECK(begun.url.starts_with("https://id.example/auth?response_type=code&client_id=soma&"));
  CHECK(parameter_of(begun.url, "redirect_uri") ==
        "https%3a%2f%2fsoma.example%2fv1%2fauth%2foidc%2fcallback");
  CHECK(parameter_of(begun.url, "scope") == "openid%20groups");
  CHECK(parameter_of(begun.url, "code_challenge_method") == "S256");
  const auto ended = w.finish(begun);
  REQUIRE(ended);
  CHECK(ended->return_to == "/ui/index.html#s=1");
  CHECK(ended->identity.who.user.value == "oidc-ann");
  CHECK(ended->identity.who.role == role::admin);
  CHECK(ended->identity.subject == "ann");
  CHECK(ended->identity.session == "s1");
  CHECK(ended->identity.refresh_token.reveal() == "rt-1");
  // The verifier is what the challenge was made of; a public client has no secret to show.
  const auto verifier = member_of(w.last.form, "code_verifier");
  CHECK(w.asked["/token"] == 1);
  CHECK(w.last.authorization.empty());
  CHECK(base64url(bytes_of(sha256(verifier))).size() == 43);
  // Nothing of the state can be read in the cookie.
  CHECK(begun.cookie.find(parameter_of(begun.url, "state")) == std::string::npos);
}

TEST_CASE("sign-in by a provider: the verifier that is shown belongs to the challenge") {
  world w;
  std::string form;
  w.options.provider.client_secret = secret_string("s:e/c");
  const auto begun = w.begin();
  auto ask = [&](const http_request& what) {
    if (!what.form.empty()) {
      form = what.form;
      CHECK(what.authorization == "Basic c29tYTpzJTNhZSUyZmM=");
    }
    return w.answer(what);
  };
  relying_party party(w.options, server_key, ask, [&] { return w.now_ms; });
  REQUIRE(party.finish(begun.cookie, world::back(begun)));
  CHECK(base64url(bytes_of(sha256(member_of(form, "code_verifier")))) ==
        parameter_of(begun.url, "code_challenge"));
  CHECK(form.find("client_secret") == std::string::npos);
  // In the form, where the provider takes it only there.
  w.options.provider.token_auth = token_auth::post;
  relying_party other(
      w.options, server_key,
      [&](const http_request& what) {
        if (!what.form.empty()) CHECK(member_of(what.form, "client_secret") == "s%3ae%2fc");
        return w.answer(what);
      },
      [&] { return w.now_ms; });
  REQUIRE(other.finish(begun.cookie, world::back(begun)));
}

TEST_CASE("sign-in attack: an answer is taken once, by the browser that began, and not for long") {
  world w;
  const auto begun = w.begin();
  REQUIRE(w.finish(begun));
  CHECK(w.why(begun) == codes::auth_invalid);  // replayed
  CHECK(w.asked["/token"] == 1);

  const auto mine = w.begin(), theirs = w.begin();
  CHECK_FALSE(w.party().finish(mine.cookie, world::back(theirs)));  // a swapped state
  CHECK_FALSE(w.party().finish("", world::back(mine)));             // no browser began it
  CHECK_FALSE(w.party().finish("v1.AAAA", world::back(mine)));
  auto changed = mine.cookie;
  changed[10] = changed[10] == 'A' ? 'B' : 'A';
  CHECK_FALSE(w.party().finish(changed, world::back(mine)));
  brought_answer no_state{"code-1", {}, {}, {}};
  CHECK_FALSE(w.party().finish(mine.cookie, no_state));
  // Of another server.
  relying_party other(
      w.options, secret_string(std::string(32, 'o')),
      [&](const http_request& what) { return w.answer(what); }, [&] { return w.now_ms; });
  CHECK_FALSE(other.finish(mine.cookie, world::back(mine)));
  CHECK(w.asked["/token"] == 1);
  w.now_ms += sign_in_ms_max;
  CHECK(w.why(mine) == codes::auth_invalid);  // too late
  CHECK(w.asked["/token"] == 1);
}

TEST_CASE("sign-in attack: a code that was used, or is of another client, is not taken") {
  world w;
  w.refused = "invalid_grant";
  CHECK(w.why(w.begin()) == codes::auth_invalid);
  w.refused = "invalid_client";
  CHECK(w.why(w.begin()) == codes::dependency_unavailable);
  w.refused = "<script>";
  const auto begun = w.begin();
  CHECK(w.finish(begun).error().detail.find('<') == std::string::npos);
}

TEST_CASE("sign-in attack: tokens that are unsigned, wrongly signed, or not for this sign-in") {
  world w;
  const signer stranger(algorithm::es256, "one");
  const auto refuses = [&](const std::function<void(const relying_party::begun&)>& spoil) {
    const auto begun = w.begin();
    w.token.clear();
    spoil(begun);
    return w.why(begun) == codes::auth_invalid;
  };
  const auto said = [&] { return json::serialize(w.claims); };
  CHECK(refuses([&](auto&) { w.token = unsigned_part(R"({"alg":"none"})", said()) + '.'; }));
  CHECK(refuses([&](auto&) {
    const auto text = unsigned_part(R"({"alg":"HS256","kid":"one"})", said());
    w.token = text + '.' + base64url(bytes_of(hmac_sha256(w.key.jwk(), text)));
  }));
  CHECK(refuses([&](auto&) { w.token = stranger.token(said()); }));
  CHECK(refuses(
      [&](auto&) { w.token = stranger.token(R"({"alg":"ES256","kid":"../../keys"})", said()); }));
  CHECK(refuses([&](auto&) { w.claims["nonce"] = "another"; }));
  CHECK(refuses([&](auto&) { w.claims.erase("nonce"); }));
  CHECK(refuses([&](auto&) { w.claims["aud"] = "other"; }));
  CHECK(refuses([&](auto&) { w.claims["azp"] = "other"; }));
  CHECK(refuses([&](auto&) { w.claims["iss"] = "https://evil.example"; }));
  CHECK(refuses([&](auto&) { w.claims["exp"] = w.now_ms / 1000 - 61; }));
  CHECK(refuses([&](auto&) { w.token = "rubbish"; }));
  w.token.clear();
  CHECK(w.finish(w.begin()));
}

TEST_CASE("sign-in attack: an answer of another provider, and a refusal's text, do nothing") {
  world w;
  auto begun = w.begin();
  auto back = world::back(begun);
  back.issuer = "https://evil.example";
  CHECK(w.party().finish(begun.cookie, back).error().code == codes::auth_invalid);
  begun = w.begin();
  back = world::back(begun);
  back.issuer = issuer;
  CHECK(w.party().finish(begun.cookie, back));
  begun = w.begin();
  back = world::back(begun);
  back.refusal = "<b>access_denied</b>";
  const auto refused = w.party().finish(begun.cookie, back);
  CHECK(refused.error().code == codes::auth_invalid);
  CHECK(refused.error().detail.find('<') == std::string::npos);
  CHECK(w.asked["/token"] == 1);
  // One that names itself always must do so.
  w.documents.insert(1, R"("authorization_response_iss_parameter_supported":true,)");
  w.made.reset();
  CHECK(w.why(w.begin()) == codes::auth_invalid);
}

TEST_CASE("sign-in attack: a browser is sent to the page's own paths alone") {
  for (const char* good : {"/ui/", "/ui/index.html", "/ui/index.html#s=8a1",
                           "/ui/index.html?a=b#new", "/ui/index.html#s=1&open=files&path=a%2Fb"})
    CHECK_MESSAGE(is_page_path(good), good);
  for (const char* bad :
       {"", "/", "/v1/keys", "ui/", "//evil.example/ui/", "/ui//evil.example", "/ui/../v1/keys",
        "/ui/%2e%2e/v1", "/\\evil.example", "/ui/\\evil", "https://evil.example/ui/",
        "/ui/\r\nX: y", "/ui/ x", "/ui@evil.example/", "/ui/#signin=token", "/ui/?x#a&signin=token",
        "/ui/#sign%69n=token", "javascript:alert(1)", "/ui/<script>"})
    CHECK_FALSE_MESSAGE(is_page_path(bad), bad);
  CHECK_FALSE(is_page_path("/ui/" + std::string(return_to_bytes_max, 'a')));
  world w;
  CHECK(w.party().begin("https://evil.example").error().code == codes::request_invalid_parameter);
}

TEST_CASE("provider: documents of another issuer, without TLS, or without PKCE are not believed") {
  world w;
  const auto with = [&](std::string_view from, std::string_view to) {
    auto text = w.documents;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  CHECK(read_documents(w.documents, issuer));
  for (const auto& bad :
       {std::string("{"), std::string("[]"),
        with("\"https://id.example\"", "\"https://id.example/\""),
        with("https://id.example/token", "http://id.example/token"),
        with("https://id.example/token", "http://localhost/token"),
        with("https://id.example/keys", "file:///etc/passwd"),
        with("https://id.example/keys", "https://a@id.example/keys"),
        with("https://id.example/auth", "https:///auth"), with("\"token_endpoint\"", "\"t\""),
        with("{", R"({"code_challenge_methods_supported":["plain"],)")})
    CHECK_MESSAGE(read_documents(bad, issuer).error().code == codes::dependency_unavailable, bad);
  for (const char* good : {"https://id.example", "https://id.example/realms/x",
                           "http://localhost:3000", "http://127.0.0.1:3000/a", "http://[::1]:3000"})
    CHECK_MESSAGE(is_issuer(good), good);
  for (const char* bad : {"", "id.example", "http://id.example", "ftp://id.example", "https://",
                          "https://a@b", "https://id.example?x", "https://id.example#x",
                          "http://localhost.evil.example", "https://id example"})
    CHECK_FALSE_MESSAGE(is_issuer(bad), bad);
}

TEST_CASE("provider: away, nobody comes in and everybody hears why; back, they do") {
  world w;
  w.away = true;
  const auto refused = w.party().begin("/ui/");
  CHECK(refused.error().code == codes::dependency_unavailable);
  CHECK(refused.error().detail.find("nobody answers") != std::string::npos);
  CHECK_FALSE(w.party().trouble().empty());
  // It is not asked for each who comes.
  CHECK_FALSE(w.party().begin("/ui/"));
  CHECK(w.asked["/.well-known/openid-configuration"] == 1);
  w.away = false;
  w.now_ms += tried_again_ms;
  auto begun = w.begin();
  CHECK(w.party().trouble().empty());
  CHECK(w.finish(begun));
  // A look that fails is believed at once, documents or none.
  w.away = true;
  w.party().look();
  CHECK_FALSE(w.party().begin("/ui/"));
}

TEST_CASE("provider: its keys away, or its answer nonsense, lets nobody in") {
  world w;
  auto begun = w.begin();
  w.keys = "nonsense";
  CHECK(w.why(begun) == codes::dependency_unavailable);
  w.now_ms += 60'000;
  w.keys = key_set_of({w.key.jwk()});
  CHECK(w.finish(w.begin()));
}

TEST_CASE("provider: a key that is new is fetched, once a while, and one that went is gone") {
  world w;
  CHECK(w.finish(w.begin()));
  CHECK(w.asked["/keys"] == 1);
  const signer fresh(algorithm::rs256, "two");
  w.keys = key_set_of({fresh.jwk(), w.key.jwk()});
  w.now_ms += 60'000;
  auto begun = w.begin();
  w.token = fresh.token(json::serialize(w.claims));
  CHECK(w.finish(begun));
  CHECK(w.asked["/keys"] == 2);
  // Names that nobody has cost no more than one look.
  const signer stranger(algorithm::rs256, "three");
  for (int n = 0; n < 5; ++n) {
    begun = w.begin();
    w.token = stranger.token(json::serialize(w.claims));
    CHECK(w.why(begun) == codes::auth_invalid);
  }
  CHECK(w.asked["/keys"] == 2);
  w.now_ms += 60'000;
  begun = w.begin();
  w.token = stranger.token(json::serialize(w.claims));
  CHECK(w.why(begun) == codes::auth_invalid);
  CHECK(w.asked["/keys"] == 3);
  // Withdrawn.
  w.keys = key_set_of({fresh.jwk()});
  w.now_ms += keys_kept_ms;
  w.token.clear();
  CHECK(w.why(w.begin()) == codes::auth_invalid);
}

TEST_CASE("provider: asked again it says who it is now, or that it knows him no more") {
  world w;
  auto ended = w.finish(w.begin());
  REQUIRE(ended);
  const secret_string refresh("rt-1");
  w.claims["groups"] = json::array{};
  w.claims.erase("nonce");
  auto now = w.party().renew(refresh, "ann");
  REQUIRE(now);
  CHECK(now->who.role == role::user);
  CHECK_FALSE(w.party().renew(refresh, "bob"));
  w.refused = "invalid_grant";
  CHECK(w.party().renew(refresh, "ann").error().code == codes::auth_invalid);
  w.refused.clear();
  w.away = true;
  CHECK(w.party().renew(refresh, "ann").error().code == codes::dependency_unavailable);
}

TEST_CASE("provider: tells once who signed out there, and where to sign out there") {
  world w;
  w.begin();
  CHECK(w.party().end_session_url("tok") ==
        "https://id.example/end?x=1&client_id=soma&post_logout_redirect_uri="
        "https%3a%2f%2fsoma.example%2fui%2findex.html&id_token_hint=tok");
  const json::object claims{
      {"iss", issuer},
      {"aud", "soma"},
      {"iat", w.now_ms / 1000},
      {"jti", "j1"},
      {"sid", "s1"},
      {"events", {{"http://schemas.openid.net/event/backchannel-logout", json::object()}}}};
  const auto token = w.key.token(json::serialize(claims));
  const auto said = w.party().take_logout(token);
  REQUIRE(said);
  CHECK(said->session == "s1");
  CHECK_FALSE(w.party().take_logout(token));  // replayed
  CHECK_FALSE(
      w.party().take_logout(signer(algorithm::es256, "one").token(json::serialize(claims))));
  CHECK_FALSE(w.party().take_logout(w.key.token(json::serialize(w.claims))));
}

TEST_CASE("once: what was used is remembered, for a while, and not without end") {
  once_set set(3, 1000);
  CHECK(set.use("a", 0));
  CHECK_FALSE(set.use("a", 999));
  CHECK(set.use("a", 1000));
  for (const char* one : {"b", "c", "d", "e"}) CHECK(set.use(one, 1000));
  CHECK(set.size() == 3);
  CHECK_FALSE(set.use("e", 1000));
  set.give_back("e");
  set.give_back("never seen");
  CHECK(set.use("e", 1000));
}
