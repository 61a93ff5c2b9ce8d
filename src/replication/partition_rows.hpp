// What is known of one partition beside its sessions, in the store's rows: how far it was read,
// what its keys were used for, versions of documents, sessions that are gone. Everything in them
// follows from that partition's log alone, so a row of one partition is never asked for another.
//
// Thread-safe as the store is. Keys, where P is the partition in four bytes, the greatest first:
//
//   p P                       encoded partition_state
//   g P tenant 0 session      number: the head's seq of a session that was removed
//   k P key                   first use of an idempotency key
//   a P time, 8 bytes, key    the same by age
//   v P collection 0 key      number: the offset of the record that wrote the document
//   s P source, 4 bytes       the last row taken from that partition
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/partition_core.hpp"
#include "storage/replica_store.hpp"

namespace soma::replication {

// By the log's own time. Longer than any key may be kept for (`key_use::ttl_ms` is cut to it), so
// that whether an older row is still there decides nothing.
inline constexpr std::int64_t keys_kept_ms = 8ll * 24 * 3600 * 1000;

class partition_rows final : public cluster::partition_facts {
 public:
  partition_rows(storage::replica_store& store, std::uint32_t partition)
      : store_(store), partition_(partition) {}

  result<cluster::known_head> head(const session_key& session) const override;
  result<std::optional<cluster::kept_key>> key(std::string_view key) const override;
  result<std::optional<cluster::log_offset>> version(std::string_view collection,
                                                     std::string_view key) const override;
  result<std::optional<cluster::source_tag>> last_of(std::uint32_t source) const override;

  result<cluster::partition_state> state() const;  // of one that was never read: an empty one
  std::pair<std::string, std::string> place(const cluster::partition_state& state) const;

  // What an atom that counted at `offset` changes of the rows. `state`: behind it. Errors: those of
  // the store.
  using row_changes = std::vector<std::pair<std::string, std::optional<std::string>>>;
  result<row_changes> changes(const cluster::partition_state& state, cluster::log_offset offset,
                              const cluster::atom& one, const cluster::judgement& judged) const;

 private:
  std::string named(char kind) const;
  result<void> forget_old_keys(std::int64_t time_ms, row_changes& out) const;

  storage::replica_store& store_;
  const std::uint32_t partition_;
};

}  // namespace soma::replication
