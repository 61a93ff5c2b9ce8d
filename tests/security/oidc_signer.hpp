// Keys of a provider, for tests: they sign tokens as it would, and as an attacker might.
#pragma once

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>
#include <string_view>

#include "security/digest.hpp"
#include "security/oidc/jose.hpp"

namespace soma::security::oidc {

inline std::string unsigned_part(std::string_view header, std::string_view claims) {
  return base64url(header) + '.' + base64url(claims);
}

class signer {
 public:
  signer(oidc::algorithm alg, std::string kid) : algorithm_(alg), kid_(std::move(kid)) {
    key_.reset(alg == algorithm::rs256   ? EVP_RSA_gen(2048)
               : alg == algorithm::es256 ? EVP_EC_gen("P-256")
                                         : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"),
               EVP_PKEY_free);
  }

  std::string_view alg() const {
    return algorithm_ == algorithm::rs256   ? "RS256"
           : algorithm_ == algorithm::es256 ? "ES256"
                                            : "EdDSA";
  }
  std::string header() const {
    return R"({"alg":")" + std::string(alg()) + '"' +
           (kid_.empty() ? "" : R"(,"kid":")" + kid_ + '"') + '}';
  }
  std::string token(std::string_view claims) const { return token(header(), claims); }
  std::string token(std::string_view header, std::string_view claims) const {
    const auto text = unsigned_part(header, claims);
    return text + '.' + base64url(sign(text));
  }

  std::string jwk() const {
    std::string out = R"({"use":"sig","alg":")" + std::string(alg()) + '"';
    if (!kid_.empty()) out += R"(,"kid":")" + kid_ + '"';
    if (algorithm_ == algorithm::rs256)
      out += R"(,"kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N, 256) + R"(","e":"AQAB")";
    if (algorithm_ == algorithm::es256)
      out += R"(,"kty":"EC","crv":"P-256","x":")" + number(OSSL_PKEY_PARAM_EC_PUB_X, 32) +
             R"(","y":")" + number(OSSL_PKEY_PARAM_EC_PUB_Y, 32) + '"';
    if (algorithm_ == algorithm::eddsa) {
      std::string raw(32, '\0');
      std::size_t size = raw.size();
      EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size);
      out += R"(,"kty":"OKP","crv":"Ed25519","x":")" + base64url(raw) + '"';
    }
    return out + '}';
  }

 private:
  std::string number(const char* name, int bytes) const {
    BIGNUM* found = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &found);
    std::string raw(static_cast<std::size_t>(bytes), '\0');
    BN_bn2binpad(found, reinterpret_cast<unsigned char*>(raw.data()), bytes);
    BN_free(found);
    return base64url(raw);
  }

  std::string sign(const std::string& text) const {
    auto* context = EVP_MD_CTX_new();
    const auto* hash = algorithm_ == algorithm::eddsa ? nullptr : EVP_sha256();
    EVP_DigestSignInit(context, nullptr, hash, nullptr, key_.get());
    std::size_t size = 1024;
    std::string out(size, '\0');
    EVP_DigestSign(context, reinterpret_cast<unsigned char*>(out.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    EVP_MD_CTX_free(context);
    out.resize(size);
    if (algorithm_ != algorithm::es256) return out;
    const auto* at = reinterpret_cast<const unsigned char*>(out.data());
    auto* pair = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(out.size()));
    std::string raw(64, '\0');
    auto* into = reinterpret_cast<unsigned char*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), into, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), into + 32, 32);
    ECDSA_SIG_free(pair);
    return raw;
  }

  oidc::algorithm algorithm_;
  std::string kid_;
  std::shared_ptr<EVP_PKEY> key_;
};

inline std::string key_set_of(std::initializer_list<std::string> jwks) {
  std::string out;
  for (const auto& one : jwks) out += (out.empty() ? "" : ",") + one;
  return R"({"keys":[)" + out + "]}";
}

}  // namespace soma::security::oidc
