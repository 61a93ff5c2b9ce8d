#include "security/certificate_pin.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>

#include "security/digest.hpp"

namespace soma::security {
namespace {

constexpr std::string_view nobodys = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

}  // namespace

std::string certificate_pin(const std::string& pem_file) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_file(pem_file.c_str(), "r"), BIO_free);
  if (!in) return std::string(nobodys);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), X509_free);
  unsigned char* key = nullptr;
  const int size = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &key) : 0;
  if (size <= 0) return std::string(nobodys);
  const auto hash = sha256({reinterpret_cast<const char*>(key), static_cast<std::size_t>(size)});
  OPENSSL_free(key);
  unsigned char text[64] = {};
  EVP_EncodeBlock(text, hash.data(), static_cast<int>(hash.size()));
  return "sha256//" + std::string(reinterpret_cast<const char*>(text));
}

}  // namespace soma::security
