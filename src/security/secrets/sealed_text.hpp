// Secrets at rest: AES-256-GCM under a key given by the operator, bound to what the secret is for,
// so that a sealed text moved to another place does not open. Pure but for the random nonce.
// Format: "v1." + base64url(nonce 12 bytes | ciphertext | tag 16 bytes).
#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/secret.hpp"

namespace soma::security {

// 32 bytes as base64 or hex, as auth.enc_key gives them. Fails with config.invalid.
result<secret_string> parse_encryption_key(std::string_view text);

std::string seal(const secret_string& key, std::string_view bound_to, std::string_view plain);

// Fails with storage.corrupt for another key, another place or a changed text.
result<secret_string> unseal(const secret_string& key, std::string_view bound_to,
                             std::string_view sealed);

}  // namespace soma::security
