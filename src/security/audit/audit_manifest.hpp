// What the copies of a day's segments are: a signed list of files, in the folder that holds them.
// docs/audit.md has it for third parties. `manifest_in` and `keep_manifest` block on the disk; all
// else is pure. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "security/audit/audit_key.hpp"

namespace soma::security {

// Of a segment that gets no more records.
struct audit_copy {
  std::string name;                   // of its file
  std::uint64_t first = 0, last = 0;  // records
  std::uint64_t bytes = 0;
  std::string sha256;           // of the whole file
  std::string prev_hash, hash;  // of the record before the first, and of the last
};

struct audit_manifest {
  std::string chain, day, at;
  std::vector<audit_copy> files;  // the oldest first
  std::string key_id, public_key, signature;
};

// The text that is signed.
std::string audit_statement(const audit_manifest& what);
void sign_manifest(audit_manifest& what, const audit_key& by);
// Whether its signature is by the key that it names. Not whether that key is the right one.
bool is_well_signed(const audit_manifest& what);

std::string to_json(const audit_manifest& what);
// Errors: request.invalid.
result<audit_manifest> parse_audit_manifest(std::string_view json);

// FOLDER/manifest.json; none where there is none. Errors: storage.unavailable, storage.corrupt.
result<std::optional<audit_manifest>> manifest_in(const std::string& folder);
// Whole or not at all, and synced. False, with errno: it is not written.
bool keep_manifest(const std::string& folder, const audit_manifest& what);

}  // namespace soma::security
