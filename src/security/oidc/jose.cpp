#include "security/oidc/jose.hpp"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/json_text.hpp"
#include "security/digest.hpp"

namespace soma::security::oidc {
namespace {

namespace json = boost::json;

constexpr std::size_t p256_bytes = 32, ed25519_bytes = 32;

template <auto Free>
struct freeing {
  template <class T>
  void operator()(T* one) const {
    Free(one);
  }
};
using key_context = std::unique_ptr<EVP_PKEY_CTX, freeing<EVP_PKEY_CTX_free>>;
using digest_context = std::unique_ptr<EVP_MD_CTX, freeing<EVP_MD_CTX_free>>;
using big_number = std::unique_ptr<BIGNUM, freeing<BN_free>>;
using parameter_builder = std::unique_ptr<OSSL_PARAM_BLD, freeing<OSSL_PARAM_BLD_free>>;
using parameters = std::unique_ptr<OSSL_PARAM, freeing<OSSL_PARAM_free>>;
using ecdsa_pair = std::unique_ptr<ECDSA_SIG, freeing<ECDSA_SIG_free>>;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

error no_token(std::string why) {
  return {codes::auth_invalid, std::move(why)};
}

big_number number_of(std::string_view big_endian) {
  return big_number(BN_bin2bn(bytes(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

std::shared_ptr<void> shared(EVP_PKEY* key) {
  return {key, [](EVP_PKEY* one) { EVP_PKEY_free(one); }};
}

// Of what a builder holds; null where it makes no good key.
std::shared_ptr<void> made_of(const char* kind, const parameter_builder& builder) {
  const parameters all(OSSL_PARAM_BLD_to_param(builder.get()));
  const key_context making(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* made = nullptr;
  if (!all || !making || EVP_PKEY_fromdata_init(making.get()) != 1 ||
      EVP_PKEY_fromdata(making.get(), &made, EVP_PKEY_PUBLIC_KEY, all.get()) != 1)
    return nullptr;
  auto key = shared(made);
  const key_context checking(EVP_PKEY_CTX_new(made, nullptr));
  if (!checking || EVP_PKEY_public_check(checking.get()) != 1) return nullptr;
  return key;
}

std::optional<std::string> member(const json::object& jwk, std::string_view name) {
  return parse_base64url(text_of(jwk, name));
}

std::shared_ptr<void> rsa_key(const json::object& jwk) {
  const auto n = member(jwk, "n"), e = member(jwk, "e");
  if (!n || !e || n->size() > rsa_bits_max / 8 || e->empty() || e->size() > 8) return nullptr;
  const auto modulus = number_of(*n), exponent = number_of(*e);
  if (!modulus || !exponent) return nullptr;
  const auto bits = static_cast<unsigned>(BN_num_bits(modulus.get()));
  const bool sound = bits >= rsa_bits_min && bits <= rsa_bits_max && BN_is_odd(modulus.get()) &&
                     BN_is_odd(exponent.get()) && !BN_is_one(exponent.get());
  const parameter_builder builder(OSSL_PARAM_BLD_new());
  if (!sound || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1)
    return nullptr;
  return made_of("RSA", builder);
}

std::shared_ptr<void> p256_key(const json::object& jwk) {
  const auto x = member(jwk, "x"), y = member(jwk, "y");
  if (!x || !y || x->size() != p256_bytes || y->size() != p256_bytes) return nullptr;
  const std::string point = '\x04' + *x + *y;  // uncompressed
  const parameter_builder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1)
    return nullptr;
  return made_of("EC", builder);
}

std::shared_ptr<void> ed25519_key(const json::object& jwk) {
  const auto x = member(jwk, "x");
  if (!x || x->size() != ed25519_bytes) return nullptr;
  auto* key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(*x), x->size());
  return key ? shared(key) : nullptr;
}

// "use", "key_ops" and "alg" say what it is for, where they are given.
bool is_for_signatures(const json::object& jwk, std::string_view alg) {
  if (jwk.contains("use") && text_of(jwk, "use") != "sig") return false;
  if (jwk.contains("alg") && text_of(jwk, "alg") != alg) return false;
  const auto* uses = jwk.if_contains("key_ops");
  if (!uses) return true;
  const auto* list = uses->if_array();
  return list && std::find(list->begin(), list->end(), json::value("verify")) != list->end();
}

// r and s, each as long as the curve's numbers, as OpenSSL takes them; empty where they are not.
std::string der_of(std::string_view signature) {
  if (signature.size() != 2 * p256_bytes) return {};
  auto r = number_of(signature.substr(0, p256_bytes)), s = number_of(signature.substr(p256_bytes));
  const ecdsa_pair pair(ECDSA_SIG_new());
  if (!r || !s || !pair || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
  (void)r.release();  // the pair's from now on
  (void)s.release();
  unsigned char* at = nullptr;
  const auto size = i2d_ECDSA_SIG(pair.get(), &at);
  std::string out(reinterpret_cast<const char*>(at), size > 0 ? static_cast<std::size_t>(size) : 0);
  OPENSSL_free(at);
  return out;
}

std::optional<json::object> object_in(std::string_view text) {
  json::error_code ec;
  auto value = parse_foreign_json(text, ec);
  if (ec || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

}  // namespace

std::optional<algorithm> algorithm_named(std::string_view name) {
  if (name == "RS256") return algorithm::rs256;
  if (name == "ES256") return algorithm::es256;
  if (name == "EdDSA") return algorithm::eddsa;
  return std::nullopt;
}

std::optional<public_key> public_key::read(const json::object& jwk) {
  public_key out;
  out.kid_ = text_of(jwk, "kid");
  if (out.kid_.size() > kid_bytes_max) return std::nullopt;
  const auto kind = text_of(jwk, "kty"), curve = text_of(jwk, "crv");
  if (kind == "RSA" && is_for_signatures(jwk, "RS256")) {
    out.algorithm_ = algorithm::rs256;
    out.key_ = rsa_key(jwk);
  } else if (kind == "EC" && curve == "P-256" && is_for_signatures(jwk, "ES256")) {
    out.algorithm_ = algorithm::es256;
    out.key_ = p256_key(jwk);
  } else if (kind == "OKP" && curve == "Ed25519" && is_for_signatures(jwk, "EdDSA")) {
    out.algorithm_ = algorithm::eddsa;
    out.key_ = ed25519_key(jwk);
  }
  if (!out.key_) return std::nullopt;
  return out;
}

bool public_key::verifies(std::string_view data, std::string_view signature) const {
  const bool is_pair = algorithm_ == algorithm::es256;
  const auto der = is_pair ? der_of(signature) : std::string();
  const std::string_view given = is_pair ? std::string_view(der) : signature;
  if (given.empty()) return false;
  const digest_context checking(EVP_MD_CTX_new());
  const auto* hash = algorithm_ == algorithm::eddsa ? nullptr : EVP_sha256();
  return checking &&
         EVP_DigestVerifyInit(checking.get(), nullptr, hash, nullptr,
                              static_cast<EVP_PKEY*>(key_.get())) == 1 &&
         EVP_DigestVerify(checking.get(), bytes(given), given.size(), bytes(data), data.size()) ==
             1;
}

result<key_set> read_key_set(std::string_view text) {
  const auto set = object_in(text);
  const auto* list = set ? set->if_contains("keys") : nullptr;
  const error none(codes::dependency_unavailable, "the provider's keys cannot be read");
  if (!list || !list->is_array()) return none;
  key_set out;
  for (const auto& one : list->get_array()) {
    const auto* jwk = one.if_object();
    auto key = jwk ? public_key::read(*jwk) : std::nullopt;
    if (!key) continue;
    if (out.size() == keys_max) return none;
    out.push_back(std::move(*key));
  }
  return out;
}

result<unverified_token> read_token(std::string_view text) {
  if (text.size() > token_bytes_max) return no_token("the token is too long");
  const auto first = text.find('.');
  const auto second = first == text.npos ? text.npos : text.find('.', first + 1);
  if (second == text.npos || text.find('.', second + 1) != text.npos)
    return no_token("the token is not three parts");
  const auto head = parse_base64url(text.substr(0, first));
  const auto body = parse_base64url(text.substr(first + 1, second - first - 1));
  auto signature = parse_base64url(text.substr(second + 1));
  if (!head || !body || !signature) return no_token("the token is no base64url");
  const auto header = object_in(*head);
  auto claims = object_in(*body);
  if (!header || !claims) return no_token("the token holds no objects");
  const auto alg = algorithm_named(text_of(*header, "alg"));
  if (!alg) return no_token("the token is signed by an algorithm that is not taken");
  // What must be understood and is not.
  if (header->contains("crit")) return no_token("the token asks for what is not known here");
  unverified_token out;
  out.algorithm = *alg;
  out.kid = text_of(*header, "kid");
  out.typ = text_of(*header, "typ");
  if (out.kid.size() > kid_bytes_max) return no_token("the token's key has too long a name");
  out.signed_part = text.substr(0, second);
  out.signature = std::move(*signature);
  out.claims = std::move(*claims);
  return out;
}

const public_key* key_for(const unverified_token& token, const key_set& keys) {
  const public_key* found = nullptr;
  for (const auto& key : keys) {
    if (key.algorithm() != token.algorithm) continue;
    if (!token.kid.empty() && key.kid() != token.kid) continue;
    if (found) return nullptr;  // which of them, nobody says
    found = &key;
  }
  return found;
}

}  // namespace soma::security::oidc
