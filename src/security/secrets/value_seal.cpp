#include "security/secrets/value_seal.hpp"

#include <openssl/evp.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "security/digest.hpp"

namespace soma::security {
namespace {

constexpr std::size_t key_bytes = 32, nonce_bytes = 12, tag_bytes = 16;
constexpr std::string_view mark{"\0SE\1", 4};
static_assert(seal_overhead_bytes == nonce_bytes + tag_bytes + mark.size());

struct context_deleter {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};
using context = std::unique_ptr<EVP_CIPHER_CTX, context_deleter>;

void must(int ok) {
  if (ok != 1) std::abort();  // the library is broken or out of memory
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes(char* text) {
  return reinterpret_cast<unsigned char*>(text);
}

// A context that keeps the key it was used with last: setting one costs as much as a short value.
struct kept_context {
  context c{EVP_CIPHER_CTX_new()};
  std::uint64_t number = 0;  // of that key; 0: none
};

// Ready for a value under that nonce.
EVP_CIPHER_CTX* ready(kept_context& kept, bool seals, const secret_string& key,
                      std::uint64_t number, const unsigned char* nonce) {
  auto* const c = kept.c.get();
  const bool same = number != 0 && kept.number == number;
  must(EVP_CipherInit_ex(c, same ? nullptr : EVP_aes_256_gcm(), nullptr,
                         same ? nullptr : bytes(key.reveal()), nonce, seals ? 1 : 0));
  kept.number = number;
  return c;
}

kept_context& of_this_thread(bool seals) {
  thread_local kept_context sealing, opening;
  return seals ? sealing : opening;
}

void encrypt(EVP_CIPHER_CTX* c, std::string_view bound_to, const char* from, std::size_t size,
             char* into) {
  int done = 0;
  if (!bound_to.empty())
    must(EVP_EncryptUpdate(c, nullptr, &done, bytes(bound_to), static_cast<int>(bound_to.size())));
  must(EVP_EncryptUpdate(c, bytes(into), &done, bytes({from, size}), static_cast<int>(size)));
  must(EVP_EncryptFinal_ex(c, bytes(into) + size, &done));
  must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, tag_bytes, into + size));
}

// The tag follows the ciphertext.
bool decrypt(EVP_CIPHER_CTX* c, std::string_view bound_to, const char* from, std::size_t size,
             char* into) {
  unsigned char tag[tag_bytes];
  std::memcpy(tag, from + size, tag_bytes);
  int done = 0;
  if (!bound_to.empty())
    must(EVP_DecryptUpdate(c, nullptr, &done, bytes(bound_to), static_cast<int>(bound_to.size())));
  must(EVP_DecryptUpdate(c, bytes(into), &done, bytes({from, size}), static_cast<int>(size)));
  must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, tag_bytes, tag));
  return EVP_DecryptFinal_ex(c, bytes(into) + size, &done) == 1;
}

void put_next_nonce(char* into) {
  thread_local char start[8];
  thread_local std::uint32_t count = 0;
  if (count == 0) std::memcpy(start, random_bytes(sizeof start).data(), sizeof start);
  std::memcpy(into, start, sizeof start);
  std::memcpy(into + sizeof start, &count, sizeof count);
  ++count;
}

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

bool is_sealed(std::string_view value) {
  return value.size() >= seal_overhead_bytes && value.ends_with(mark);
}

value_key::value_key(secret_string key) : key_(std::move(key)), number_(next_number()) {
  if (key_.reveal().size() != key_bytes) std::abort();
}

void value_key::seal(std::string& value, std::string_view bound_to) const {
  const auto size = value.size();
  value.resize(size + seal_overhead_bytes);
  char* const nonce = value.data() + size + tag_bytes;
  put_next_nonce(nonce);
  std::memcpy(nonce + nonce_bytes, mark.data(), mark.size());
  auto* const c = ready(of_this_thread(true), true, key_, number_, bytes(nonce));
  encrypt(c, bound_to, value.data(), size, value.data());
}

bool value_key::unseal(std::string& value, std::string_view bound_to) const {
  if (!is_sealed(value)) return value.clear(), false;
  const auto size = value.size() - seal_overhead_bytes;
  auto* const c =
      ready(of_this_thread(false), false, key_, number_, bytes(value.data() + size + tag_bytes));
  if (!decrypt(c, bound_to, value.data(), size, value.data())) return value.clear(), false;
  value.resize(size);
  return true;
}

secret_string value_key::derive(std::string_view purpose) const {
  // One block of HKDF's second step: the key is random already.
  return secret_string(
      std::string(bytes_of(hmac_sha256(key_.reveal(), std::string(purpose) + '\1'))));
}

void seal_piece(const secret_string& key, std::string_view nonce, std::string_view plain,
                char* into) {
  kept_context once;
  encrypt(ready(once, true, key, 0, bytes(nonce)), {}, plain.data(), plain.size(), into);
}

bool unseal_piece(const secret_string& key, std::string_view nonce, std::string_view sealed,
                  char* into) {
  if (sealed.size() < tag_bytes) return false;
  kept_context once;
  return decrypt(ready(once, false, key, 0, bytes(nonce)), {}, sealed.data(),
                 sealed.size() - tag_bytes, into);
}

}  // namespace soma::security
