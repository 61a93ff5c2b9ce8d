#include "security/secrets/value_seal.hpp"

#include <cstdint>
#include <cstring>
#include <utility>

#include "security/digest.hpp"

namespace soma::security {
namespace {

constexpr std::string_view mark{"\0SE\1", 4};
static_assert(seal_overhead_bytes == gcm_nonce_bytes + gcm_tag_bytes + mark.size());

void put_next_nonce(char* into) {
  thread_local char start[8];
  thread_local std::uint32_t count = 0;
  if (count == 0) std::memcpy(start, random_bytes(sizeof start).data(), sizeof start);
  std::memcpy(into, start, sizeof start);
  std::memcpy(into + sizeof start, &count, sizeof count);
  ++count;
}

// One block of HKDF's second step: the key is random already.
secret_string derived(const secret_string& key, std::string_view purpose) {
  return secret_string(
      std::string(bytes_of(hmac_sha256(key.reveal(), std::string(purpose) + '\1'))));
}

}  // namespace

bool is_sealed(std::string_view value) {
  return value.size() >= seal_overhead_bytes && value.ends_with(mark);
}

value_key::value_key(secret_string key, gcm_engine by)
    : key_(std::move(key)), values_(derived(key_, "values"), by) {}

void value_key::seal(std::string& value, std::string_view bound_to) const {
  const auto size = value.size();
  value.resize(size + seal_overhead_bytes);
  char* const tag = value.data() + size;
  char* const nonce = tag + gcm_tag_bytes;
  put_next_nonce(nonce);
  std::memcpy(nonce + gcm_nonce_bytes, mark.data(), mark.size());
  values_.seal(nonce, bound_to, {value.data(), size}, value.data(), tag);
}

bool value_key::unseal(std::string& value, std::string_view bound_to) const {
  if (!is_sealed(value)) return value.clear(), false;
  const auto size = value.size() - seal_overhead_bytes;
  const char* const tag = value.data() + size;
  if (!values_.open(tag + gcm_tag_bytes, bound_to, {value.data(), size}, tag, value.data())) {
    wipe(value);
    return false;
  }
  value.resize(size);
  return true;
}

secret_string value_key::derive(std::string_view purpose) const {
  return derived(key_, purpose);
}

}  // namespace soma::security
