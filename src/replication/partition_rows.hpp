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
//   s P source, 4 bytes       what was derived last from that partition
//   d P offset, 8 bytes       an atom of the partition of documents that this record brought, and
//                             that is still to be derived there (cluster/document_order.hpp)
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/partition_core.hpp"
#include "replication/atom_body.hpp"
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
  // An atom derived from a source has had its turn.
  void pass(const cluster::source_tag& tag, row_changes& out) const;

  // What cluster::atom and body leave of documents, at the front of `write`'s rows or in its
  // members, where `documents` is what is known of their partition. Answers to keys are as old as
  // the log says, as their keys are. In the documents' partition versions of
  // what ceases to be go, in another all that is documents' is taken out and waits (true).
  result<bool> order_documents(const partition_rows& documents, cluster::log_offset offset,
                               atom_body& body, storage::judged_write& write) const;
  // The first so many that wait behind one, in their order. What had its turn already is not among
  // them if that one is what was derived last. Errors: the store's, storage.corrupt.
  result<std::vector<std::pair<cluster::log_offset, cluster::atom>>> waiting(
      cluster::log_offset after, std::size_t limit) const;
  // Grows with whatever comes to wait: before it is there to be read, and again behind that.
  std::uint64_t waits_noted() const { return waits_noted_; }
  void note_waiting() const { ++waits_noted_; }
  std::uint32_t number() const { return partition_; }
  // The log's own, as far as it was read (or is just being applied); 0: nothing of it was.
  std::int64_t time_ms() const { return time_ms_; }

 private:
  std::string named(char kind) const;
  std::string version_row(std::string_view collection, std::string_view key) const;
  result<void> forget_old_keys(std::int64_t time_ms, row_changes& out) const;

  storage::replica_store& store_;
  const std::uint32_t partition_;
  mutable std::atomic<std::uint64_t> waits_noted_ = 1;
  mutable std::atomic<std::int64_t> time_ms_ = 0;
};

}  // namespace soma::replication
