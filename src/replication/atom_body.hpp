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

#include "cluster/record.hpp"
#include "core/error.hpp"
#include "storage/replica_store.hpp"

namespace soma::replication {

// Rows that are nobody's session's: the answers to keys, what sinks get, and documents that cease
// to be before those of the atom come.
struct tenant_rows {
  std::vector<storage::idempotency_record> idempotency;
  std::vector<storage::outbox_row> outbox;
  std::vector<storage::documents_gone> gone{};
};
struct discarded_stage {
  session_key key;
};
// An atom of the partition of documents, by a node that does not own that: it is to be derived.
struct carried_atom {
  cluster::atom what;
};

using atom_body = std::variant<storage::append_op, tenant_rows, storage::staged_events,
                               discarded_stage, carried_atom>;

// Of an append neither key nor epoch are in it: the atom has them.
std::string encode_append(const storage::append_op& op);
std::string encode_rows(const tenant_rows& rows);
std::string encode_stage(const storage::staged_events& staged);
std::string encode_discard(const session_key& key);
std::string encode_carried(const cluster::atom& what);

// An atom by itself: as a carried one is in a record, and in a row while it waits.
std::string encode_atom(const cluster::atom& what);
result<cluster::atom> decode_atom(std::string_view bytes);  // errors as below

// Errors: storage.corrupt, storage.format (of a newer program).
result<atom_body> decode_body(std::string_view bytes, const session_key& session,
                              std::uint32_t epoch);

}  // namespace soma::replication
