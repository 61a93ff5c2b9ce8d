#include "security/secrets/aes_gcm.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#ifdef SOMA_WITH_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

namespace soma::security {
namespace {

void must(int ok) {
  if (ok != 1) std::abort();  // the library is broken or out of memory
}

const unsigned char* bytes(const char* text) {
  return reinterpret_cast<const unsigned char*>(text);
}
unsigned char* bytes(char* text) {
  return reinterpret_cast<unsigned char*>(text);
}

struct context_deleter {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};

// A context that keeps the key it was used with last: setting one costs as much as a short piece.
struct kept_context {
  std::unique_ptr<EVP_CIPHER_CTX, context_deleter> c{EVP_CIPHER_CTX_new()};
  std::uint64_t number = 0;  // of that key; 0: none
};

// Ready for a piece under that nonce.
EVP_CIPHER_CTX* ready_context(bool seals, std::string_view key, std::uint64_t number,
                              const char* nonce) {
  thread_local kept_context sealing, opening;
  auto& kept = seals ? sealing : opening;
  const bool same = kept.number == number;
  must(EVP_CipherInit_ex(kept.c.get(), same ? nullptr : EVP_aes_256_gcm(), nullptr,
                         same ? nullptr : bytes(key.data()), bytes(nonce), seals ? 1 : 0));
  kept.number = number;
  return kept.c.get();
}

void update(EVP_CIPHER_CTX* c, std::string_view bound_to, std::string_view from, char* into) {
  int done = 0;
  if (!bound_to.empty())
    must(EVP_CipherUpdate(c, nullptr, &done, bytes(bound_to.data()),
                          static_cast<int>(bound_to.size())));
  if (!from.empty())
    must(
        EVP_CipherUpdate(c, bytes(into), &done, bytes(from.data()), static_cast<int>(from.size())));
}

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

#ifdef SOMA_WITH_IPSEC_MB

struct gcm_key::schedule {
  gcm_key_data data;
};

namespace {

// Never freed: keys of other statics may outlive it. Null: the processor has not what it wants.
const IMB_MGR* manager() {
  static const IMB_MGR* const made = []() -> const IMB_MGR* {
    auto* const m = alloc_mb_mgr(0);
    if (!m) return nullptr;
    IMB_ARCH arch = IMB_ARCH_NONE;
    init_mb_mgr_auto(m, &arch);
    constexpr std::uint64_t wanted = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
    // Without them it would reckon by tables, whose times tell of the key.
    if (imb_get_errno(m) == 0 && arch > IMB_ARCH_NOAESNI && (m->features & wanted) == wanted)
      return m;
    free_mb_mgr(m);
    return nullptr;
  }();
  return made;
}

}  // namespace

gcm_engine best_gcm_engine() {
  return manager() ? gcm_engine::ipsec_mb : gcm_engine::openssl;
}

#else

struct gcm_key::schedule {};

gcm_engine best_gcm_engine() {
  return gcm_engine::openssl;
}

#endif

gcm_key::gcm_key(secret_string key, gcm_engine by) : key_(std::move(key)), number_(next_number()) {
  if (key_.reveal().size() != gcm_key_bytes) std::abort();
#ifdef SOMA_WITH_IPSEC_MB
  if (by == gcm_engine::ipsec_mb && manager()) {
    ready_ = std::make_unique<schedule>();
    IMB_AES256_GCM_PRE(manager(), key_.reveal().data(), &ready_->data);
  }
#else
  (void)by;
#endif
}

gcm_key::gcm_key(gcm_key&&) noexcept = default;

gcm_key::~gcm_key() {
  if (ready_) OPENSSL_cleanse(ready_.get(), sizeof *ready_);
}

void gcm_key::seal(const char* nonce, std::string_view bound_to, std::string_view plain, char* into,
                   char* tag) const {
#ifdef SOMA_WITH_IPSEC_MB
  if (ready_) {
    gcm_context_data state;
    IMB_AES256_GCM_ENC(manager(), &ready_->data, &state, bytes(into), bytes(plain.data()),
                       plain.size(), bytes(nonce), bytes(bound_to.data()), bound_to.size(),
                       bytes(tag), gcm_tag_bytes);
    return;
  }
#endif
  auto* const c = ready_context(true, key_.reveal(), number_, nonce);
  update(c, bound_to, plain, into);
  int done = 0;
  must(EVP_EncryptFinal_ex(c, bytes(into) + plain.size(), &done));
  must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, gcm_tag_bytes, tag));
}

bool gcm_key::open(const char* nonce, std::string_view bound_to, std::string_view sealed,
                   const char* tag, char* into) const {
  // Neither may be overwritten by what is opened.
  char wanted[gcm_tag_bytes];
  std::memcpy(wanted, tag, sizeof wanted);
#ifdef SOMA_WITH_IPSEC_MB
  if (ready_) {
    gcm_context_data state;
    char found[gcm_tag_bytes];
    IMB_AES256_GCM_DEC(manager(), &ready_->data, &state, bytes(into), bytes(sealed.data()),
                       sealed.size(), bytes(nonce), bytes(bound_to.data()), bound_to.size(),
                       bytes(found), sizeof found);
    return CRYPTO_memcmp(wanted, found, sizeof found) == 0;
  }
#endif
  auto* const c = ready_context(false, key_.reveal(), number_, nonce);
  update(c, bound_to, sealed, into);
  must(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, gcm_tag_bytes, wanted));
  int done = 0;
  return EVP_DecryptFinal_ex(c, bytes(into) + sealed.size(), &done) == 1;
}

}  // namespace soma::security
