// Whatever a browser or a provider brings as a token or as a set of keys is taken apart or refused,
// in bounded time; what is refused is told without a byte of it, and nothing verifies by accident.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "security/oidc/jose.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace soma::security::oidc;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // The first line is a set of keys, the rest a token.
  const auto cut = std::min(text.find('\n'), text.size());
  const auto keys = read_key_set(text.substr(0, cut));
  const auto token = read_token(text.substr(std::min(cut + 1, text.size())));
  if (!token) {
    if (token.error().detail.empty()) std::abort();
    return 0;
  }
  if (token->signed_part.empty() || token->kid.size() > kid_bytes_max) std::abort();
  if (!keys) return 0;
  if (keys->size() > keys_max) std::abort();
  if (const auto* key = key_for(*token, *keys)) {
    if (key->algorithm() != token->algorithm) std::abort();
    (void)key->verifies(token->signed_part, token->signature);
    if (key->verifies(token->signed_part + ".", token->signature) &&
        key->verifies(token->signed_part, token->signature))
      std::abort();
  }
  return 0;
}
