// What an atom of a partition's log changes, as bytes: cluster::atom::body. Pure.
//
// Written once and read by every node for as long as the cluster lives: by packed_bytes.hpp, a
// format number first, kinds and flags are never reused. What a reader does not know it refuses
// whole. Judged members (head, keys, documents with versions) are the atom's own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "storage/replica_store.hpp"

namespace soma::replication {

// Rows that are nobody's session's: the answers to keys, and what sinks get.
struct tenant_rows {
  std::vector<storage::idempotency_record> idempotency;
  std::vector<storage::outbox_row> outbox;
};
struct discarded_stage {
  session_key key;
};

using atom_body =
    std::variant<storage::append_op, tenant_rows, storage::staged_events, discarded_stage>;

// Of an append neither key nor epoch are in it: the atom has them.
std::string encode_append(const storage::append_op& op);
std::string encode_rows(const tenant_rows& rows);
std::string encode_stage(const storage::staged_events& staged);
std::string encode_discard(const session_key& key);

// Errors: storage.corrupt, storage.format (of a newer program).
result<atom_body> decode_body(std::string_view bytes, const session_key& session,
                              std::uint32_t epoch);

}  // namespace soma::replication
