// The chain that records of the audit form. A record is one line, a JSON object:
//
//   {"seq":N,"at":"…","what":"…", … ,"prev_hash":"H","hash":"H"}
//
// `seq` grows by one, `prev_hash` is the `hash` of the record before (of the first: 64 zeros), and
// `hash` is the SHA-256, in hexadecimal digits, of the line as it stands without `,"hash":"H"`. So
// whoever checks it needs no rule of how JSON is written. docs/audit.md has it for third parties.
//
// Pure; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace soma::security {

inline constexpr std::size_t audit_hash_digits = 64;
inline constexpr std::string_view audit_no_hash =
    "0000000000000000000000000000000000000000000000000000000000000000";

// Where a chain is: its newest record.
struct audit_place {
  std::uint64_t seq = 0;
  std::string hash{audit_no_hash};
};

// The line of the record behind `last`, without its end; `last` moves on to it. `members` are those
// between `seq` and `prev_hash`, beginning with `"at":` and `"what":`.
std::string audit_chained(audit_place& last, std::string_view members);

// What a line says of its place; views of it.
struct audit_link {
  std::uint64_t seq = 0;
  std::string_view at, what, prev_hash, hash;
};
// None where it is no record by its form. Whether its hash is right says audit_hash_of.
std::optional<audit_link> audit_link_of(std::string_view line);
// What the hash of such a line has to be.
std::string audit_hash_of(std::string_view line);

// A tree of hashes over records, so that one of them can be shown to belong to it without the
// others: the shape is RFC 6962's, a leaf is a record's hash, and a node is the SHA-256 of
// "soma-audit-node\n", its left, "\n", its right and "\n", all in hexadecimal digits.
class audit_tree {
 public:
  void add(std::string_view leaf);
  std::uint64_t size() const { return size_; }
  std::string root() const;  // empty of none

 private:
  std::vector<std::string> peaks_;  // of the whole subtrees, the largest first
  std::uint64_t size_ = 0;
};

std::string audit_node(std::string_view left, std::string_view right);

// What stands beside the way from a leaf to the root, from the leaf on.
struct audit_step {
  bool left = false;  // it stands left of the way
  std::string hash;
};
std::vector<audit_step> audit_path(std::span<const std::string> leaves, std::size_t at);
std::string audit_root_by(std::string_view leaf, std::span<const audit_step> path);

}  // namespace soma::security
