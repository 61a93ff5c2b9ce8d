// Looks through a chain and names the first record that is not right: one that was changed,
// removed, put in, moved, or cut off behind a head that was kept. Where nobody has signed it, it is
// not right. One pass, by the bytes as they stand; blocks on the disk; thread-safe.
//
// Whoever has the files and not the key can cut a chain back to any of its heads and write at most
// `audit_unsigned_max` records behind it: that is found by a head that was kept, and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "security/audit/audit_head.hpp"

namespace soma::security {

struct audit_check {
  // Of the public key that signs it (audit_key.hpp). Empty: the one that the chain itself names,
  // which finds no chain that was written anew as a whole.
  std::string public_key;
  // What is kept elsewhere, and has to be the past of what is there.
  std::vector<audit_head> kept;
  // From behind this one on: what stands before it is not looked at.
  std::optional<audit_head> since;
  // Else what stands before may not be missing: a kept head that nothing there can be compared with
  // is not right, nor are days of copies that do not begin with record 1.
  bool may_lack_past = false;
  // Nothing more comes: records that no head speaks of are not right.
  bool is_closed = false;
};

struct audit_verdict {
  bool right = false;
  std::uint64_t seq = 0;  // of the record that is not right
  std::string file;       // where it stands; empty: it is missing
  std::string why;        // a sentence

  std::uint64_t records = 0, first = 0, last = 0;  // that were looked at, up to the wrong one
  std::string last_hash, chain;
  std::uint64_t heads = 0, behind_head = 0;  // heads; records that no head speaks of yet
  bool is_signed = false;                    // a head or a checkpoint of it was seen
  std::string key_id;
};

// A chain's folder, one of its copies by day or of one day (audit_copies.hpp), or a file of its
// lines. Errors: storage.unavailable, storage.corrupt (of a
// checkpoint).
result<audit_verdict> verify_audit(const std::string& path, const audit_check& how = {});

}  // namespace soma::security
