// Signed statements of how far a chain is. A head says: the records `first` to `seq` of this chain
// have these hashes (by the root of their tree), and the newest of them has this one. A checkpoint
// says that what stands at `seq` and before it was removed because it was old; it has no tree.
//
// A head is itself the record behind those it speaks of (`what` is audit.head), and the first leaf
// of the next one's tree. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "security/audit/audit_key.hpp"

namespace soma::security {

inline constexpr std::string_view audit_head_what = "audit.head";
// What a start says of records before it that are not right: they are never right again.
inline constexpr std::string_view audit_damaged_what = "audit.damaged";
// That may stand behind a head. A tree of more would take long to look through for a proof.
inline constexpr std::uint64_t audit_unsigned_max = 65'536;

struct audit_head {
  std::string chain;  // the id that the first record gives it
  std::uint64_t first = 0, seq = 0;
  std::string hash, root, at;
  std::string key_id, public_key, signature;
  bool is_checkpoint = false;
};

// The text that is signed.
std::string audit_statement(const audit_head& what);
void sign_head(audit_head& what, const audit_key& by);
// Whether its signature is by the key that it names, and its id that key's. Not whether that key is
// the right one.
bool is_well_signed(const audit_head& what);

std::string to_json(const audit_head& what);
// Errors: request.invalid.
result<audit_head> parse_audit_head(std::string_view json);

// The record's members (audit_chain.hpp), and back from its whole line.
std::string head_members(const audit_head& what);
std::optional<audit_head> head_in(std::string_view line);

}  // namespace soma::security
