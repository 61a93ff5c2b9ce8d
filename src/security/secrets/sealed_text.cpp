#include "security/secrets/sealed_text.hpp"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

#include "core/codes.hpp"
#include "security/digest.hpp"

namespace soma::security {
namespace {

constexpr std::size_t key_bytes = 32, nonce_bytes = 12, tag_bytes = 16;
constexpr std::string_view version = "v1.";

struct context_deleter {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};
using context = std::unique_ptr<EVP_CIPHER_CTX, context_deleter>;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void must(int ok) {
  if (ok != 1) std::abort();  // the library is broken or out of memory
}

error does_not_open() {
  return {codes::storage_corrupt, "a stored secret does not open with this encryption key"};
}

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

result<secret_string> parse_encryption_key(std::string_view text) {
  std::string key;
  if (text.size() == 2 * key_bytes) {
    for (std::size_t i = 0; i < text.size(); i += 2) {
      const int high = nibble(text[i]), low = nibble(text[i + 1]);
      if (high < 0 || low < 0) break;
      key += static_cast<char>(high * 16 + low);
    }
  } else {
    std::string url(text.substr(0, text.find('=')));
    for (char& c : url) c = c == '+' ? '-' : c == '/' ? '_' : c;
    key = parse_base64url(url).value_or("");
  }
  if (key.size() != key_bytes)
    return error(codes::config_invalid, "auth.enc_key must be 32 bytes as base64 or hex");
  return secret_string(std::move(key));
}

std::string seal(const secret_string& key, std::string_view bound_to, std::string_view plain) {
  std::string out = random_bytes(nonce_bytes);
  const context c(EVP_CIPHER_CTX_new());
  must(EVP_EncryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, bytes(key.reveal()), bytes(out)));
  int size = 0;
  must(EVP_EncryptUpdate(c.get(), nullptr, &size, bytes(bound_to),
                         static_cast<int>(bound_to.size())));
  std::string cipher(plain.size() + tag_bytes, '\0');
  auto* to = reinterpret_cast<unsigned char*>(cipher.data());
  must(EVP_EncryptUpdate(c.get(), to, &size, bytes(plain), static_cast<int>(plain.size())));
  must(EVP_EncryptFinal_ex(c.get(), to + size, &size));
  must(EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_GET_TAG, tag_bytes, to + plain.size()));
  return std::string(version) + base64url(out + cipher);
}

result<secret_string> unseal(const secret_string& key, std::string_view bound_to,
                             std::string_view sealed) {
  if (!sealed.starts_with(version)) return does_not_open();
  auto raw = parse_base64url(sealed.substr(version.size()));
  if (!raw || raw->size() < nonce_bytes + tag_bytes) return does_not_open();
  const auto cipher =
      std::string_view(*raw).substr(nonce_bytes, raw->size() - nonce_bytes - tag_bytes);
  const context c(EVP_CIPHER_CTX_new());
  must(EVP_DecryptInit_ex(c.get(), EVP_aes_256_gcm(), nullptr, bytes(key.reveal()), bytes(*raw)));
  int size = 0;
  must(EVP_DecryptUpdate(c.get(), nullptr, &size, bytes(bound_to),
                         static_cast<int>(bound_to.size())));
  std::string plain(cipher.size(), '\0');
  auto* to = reinterpret_cast<unsigned char*>(plain.data());
  must(EVP_DecryptUpdate(c.get(), to, &size, bytes(cipher), static_cast<int>(cipher.size())));
  must(EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_GCM_SET_TAG, tag_bytes,
                           raw->data() + raw->size() - tag_bytes));
  secret_string opened(std::move(plain));
  if (EVP_DecryptFinal_ex(c.get(), to + size, &size) != 1) return does_not_open();
  return opened;
}

}  // namespace soma::security
