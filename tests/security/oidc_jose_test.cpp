#include "security/oidc/jose.hpp"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "security/oidc_signer.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;
using namespace soma::security::oidc;

namespace {

std::optional<public_key> key(std::string_view jwk) {
  return public_key::read(boost::json::parse({jwk.data(), jwk.size()}).as_object());
}

// header.claims and the signature apart, whatever the claims are.
bool verifies(const public_key& k, std::string_view token) {
  const auto dot = token.rfind('.');
  const auto signature = parse_base64url(token.substr(dot + 1));
  return signature && k.verifies(token.substr(0, dot), *signature);
}

constexpr std::string_view rsa_jwk =
    R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qP)"
    R"(CJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf)"
    R"(63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I)"
    R"(5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"})";
constexpr std::string_view rsa_token =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4"
    "Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xB"
    "ArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1"
    "phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
constexpr std::string_view ec_jwk =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
constexpr std::string_view ec_token =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
    "bS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfK"
    "TUJqPP3-Kg6NU1Q";
constexpr std::string_view ed_jwk =
    R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";
constexpr std::string_view ed_token =
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3"
    "AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

}  // namespace

TEST_CASE(
    "token: the vectors of RFC 7515 A.2 and A.3 and of RFC 8037 A.5 verify, and no other do") {
  const std::pair<std::string_view, std::string_view> vectors[] = {
      {rsa_jwk, rsa_token}, {ec_jwk, ec_token}, {ed_jwk, ed_token}};
  for (const auto& [jwk, token] : vectors) {
    const auto k = key(jwk);
    REQUIRE(k);
    CHECK(verifies(*k, token));
    // A changed byte of what is signed, and of the signature.
    std::string text(token), signature(token);
    text[30] = text[30] == 'A' ? 'B' : 'A';
    CHECK_FALSE(verifies(*k, text));
    const auto at = signature.rfind('.') + 5;
    signature[at] = signature[at] == 'A' ? 'B' : 'A';
    CHECK_FALSE(verifies(*k, signature));
    CHECK_FALSE(k->verifies(token.substr(0, token.rfind('.')), ""));
    for (const auto& [other, of_other] : vectors)
      if (other != jwk) CHECK_FALSE(verifies(*k, of_other));
  }
}

TEST_CASE("token: its parts are read, and the key that it names is found") {
  const signer rsa(algorithm::rs256, "a"), ec(algorithm::es256, "b"), ed(algorithm::eddsa, "c");
  const auto keys = read_key_set(key_set_of({rsa.jwk(), ec.jwk(), ed.jwk()})).value();
  REQUIRE(keys.size() == 3);
  for (const auto* by : {&rsa, &ec, &ed}) {
    const auto token = read_token(by->token(R"({"sub":"ann"})"));
    REQUIRE(token);
    CHECK(token->claims.at("sub").as_string() == "ann");
    const auto* k = key_for(*token, keys);
    REQUIRE(k);
    CHECK(k->verifies(token->signed_part, token->signature));
  }
  // One without a name is taken where there is no other of its algorithm.
  const signer nameless(algorithm::es256, "");
  const auto token = read_token(nameless.token("{}")).value();
  CHECK(key_for(token, read_key_set(key_set_of({nameless.jwk()})).value()));
  CHECK_FALSE(key_for(token, read_key_set(key_set_of({nameless.jwk(), ec.jwk()})).value()));
}

TEST_CASE("token: no algorithm, a shared key, and another than the key's are refused") {
  const signer rsa(algorithm::rs256, "a");
  const auto claims = R"({"sub":"ann"})";
  for (const char* header :
       {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"HS256","kid":"a"})",
        R"({"alg":"RS384","kid":"a"})", R"({"alg":"PS256","kid":"a"})", R"({"alg":"rs256"})",
        R"({"alg":["RS256"]})", R"({"kid":"a"})", R"({"alg":"RS256","crit":["exp"],"exp":1})"})
    CHECK_MESSAGE(read_token(rsa.token(header, claims)).error().code == codes::auth_invalid,
                  header);
  // HS256 under the public key's text, which everybody has.
  const auto text = unsigned_part(R"({"alg":"HS256","kid":"a"})", claims);
  const auto forged = base64url(bytes_of(hmac_sha256(rsa.jwk(), text)));
  CHECK_FALSE(read_token(text + '.' + forged));
  // The algorithm of another key.
  const auto keys = read_key_set(key_set_of({rsa.jwk()})).value();
  const auto other = read_token(rsa.token(R"({"alg":"ES256","kid":"a"})", claims));
  REQUIRE(other);
  CHECK_FALSE(key_for(*other, keys));
  CHECK_FALSE(read_token(unsigned_part(R"({"alg":"none"})", claims) + '.'));
}

TEST_CASE("token: what is not three parts of base64url with objects in them is refused") {
  const signer ed(algorithm::eddsa, "a");
  const auto good = ed.token("{}");
  REQUIRE(read_token(good));
  for (const std::string& bad :
       {std::string(), std::string("a.b"), good + ".", good + "=", "." + good, good + "\n",
        ed.token("[]"), ed.token("1"), ed.token("{"), ed.token("[]", "{}"),
        std::string(token_bytes_max + 1, 'A')})
    CHECK_FALSE(read_token(bad));
  const auto long_kid = R"({"alg":"EdDSA","kid":")" + std::string(kid_bytes_max + 1, 'k') + "\"}";
  CHECK_FALSE(read_token(ed.token(long_kid, "{}")));
}

TEST_CASE("token: a key's name is compared and never looked up anywhere") {
  const signer ed(algorithm::eddsa, "a");
  const auto keys = read_key_set(key_set_of({ed.jwk()})).value();
  for (const char* kid : {"../../../etc/passwd", "/dev/null", "a' OR '1'='1", "A", "a/../a"}) {
    const auto token =
        read_token(ed.token(R"({"alg":"EdDSA","kid":")" + std::string(kid) + "\"}", "{}"));
    REQUIRE(token);
    CHECK_FALSE(key_for(*token, keys));
  }
  // Keys that a token brings itself are nobody's.
  const signer own(algorithm::eddsa, "a");
  const auto brought = read_token(own.token(
      R"({"alg":"EdDSA","kid":"a","jwk":)" + own.jwk() + R"(,"jku":"https://evil.example/k"})",
      "{}"));
  REQUIRE(brought);
  const auto* k = key_for(*brought, keys);
  REQUIRE(k);
  CHECK_FALSE(k->verifies(brought->signed_part, brought->signature));
}

TEST_CASE("key set: keys for other uses, of other kinds and bad ones are passed over") {
  const signer ec(algorithm::es256, "good");
  for (
      const char* bad :
      {R"({"kty":"oct","k":"c2VjcmV0","kid":"x"})", R"({"kty":"RSA","n":"AQAB","e":"AQAB"})",
       R"({"kty":"EC","crv":"P-384","x":"AA","y":"AA"})",
       // Not on the curve.
       R"({"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"})",
       R"({"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
       R"({"kty":"OKP","crv":"Ed25519","x":"AAAA"})",
       R"({"kty":"OKP","crv":"Ed25519","use":"enc","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
       R"({"kty":"OKP","crv":"Ed25519","key_ops":["sign"],"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
       R"({"kty":"OKP","crv":"Ed25519","alg":"ES256","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
       "1", "{}"}) {
    const auto keys = read_key_set(key_set_of({bad, ec.jwk()}));
    REQUIRE(keys);
    CHECK_MESSAGE(keys->size() == 1, bad);
  }
  for (const char* none : {"", "{}", "[]", R"({"keys":{}})", R"({"keys":[)"})
    CHECK(read_key_set(none).error().code == codes::dependency_unavailable);
  std::string many;
  for (std::size_t n = 0; n <= keys_max; ++n) many += (n ? "," : "") + ec.jwk();
  CHECK_FALSE(read_key_set(R"({"keys":[)" + many + "]}"));
}
