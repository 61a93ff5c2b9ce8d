// A proof that a record belongs to what was signed, which shows nobody else's records: its line,
// the way from it to the root of a head's tree, and the head. Whoever has the public key can check
// it, with openssl alone (docs/audit.md). Blocks on the disk; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace soma::security {

// A proof of each record of that request in the folder's chain, as JSON, oldest first. Errors:
// request.invalid where there is none, or none that a head speaks of yet; storage.unavailable.
result<std::vector<std::string>> prove_audit(const std::string& folder,
                                             std::string_view request_id);

// Checks one. `public_key`: whose signature is asked for; empty: the one that it names. Gives the
// record's line. Errors: request.invalid, with what is not right.
result<std::string> verify_audit_proof(std::string_view proof_json, std::string_view public_key);

}  // namespace soma::security
