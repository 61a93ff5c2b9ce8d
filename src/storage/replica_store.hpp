// The store of a node that follows logs kept elsewhere: it decides nothing of what it writes. What
// a log says is judged by whoever reads it, and carried out here, with the reader's place in one
// atom. Read as any event log; of its own writing calls only those for documents are used beside
// `apply`, and for collections of the node alone (node_rows.hpp).
//
// Threads: all calls are thread-safe; `apply` belongs to one thread. They may wait for the disk,
// and none for a sync: what a loss of power takes is read from the log again, with the place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/event_log.hpp"

namespace soma::storage {

struct staged_events {
  session_key key;
  std::vector<encoded_event> events;
};

struct document_outcome {
  std::string collection, key;
  std::optional<std::string> value;  // none: deleted
};

// What one record of a log changes.
struct judged_write {
  std::uint32_t epoch = 0;            // of the events
  const append_op* append = nullptr;  // its `idempotency` is put, whatever is kept
  const staged_events* staged = nullptr;
  const session_key* discarded = nullptr;  // what was staged for it
  std::vector<documents_gone> gone;        // before `documents` come
  std::vector<document_outcome> documents;
  std::vector<idempotency_record> idempotency;
  std::vector<outbox_row> outbox;
  // What was staged for these is dropped, before all else.
  std::function<bool(const session_key&)> ends_stages{};
  // Of the reader's own, which nothing else sees: with the rest, and in any case.
  std::vector<std::pair<std::string, std::optional<std::string>>> rows;
  std::pair<std::string, std::string> place;
};

class replica_store : public event_log {
 public:
  // The head's seq behind an append, else 0. What the rules of heads and stages refuse (codes as of
  // commit's) changes nothing but `place`; that follows from what was applied before,
  // so it is the same on every node. Errors of the store itself begin with "storage.": then nothing
  // was written; after storage.full it may be tried again.
  virtual result<std::uint64_t> apply(const judged_write& what) = 0;

  // Why this disk takes nothing more: for whoever decides what is to be written.
  virtual std::optional<error> refuses_writes() const = 0;
  virtual std::size_t event_bytes_max() const = 0;
  virtual result<std::optional<std::uint64_t>> head_seq(const session_key& key) = 0;
  virtual result<std::optional<std::uint64_t>> staged_seq(const session_key& key) const = 0;
  // judged_write::rows and places, by their keys; those behind `after`, where that is given.
  virtual result<std::optional<std::string>> row(std::string_view key) const = 0;
  virtual result<std::vector<std::pair<std::string, std::string>>> rows(
      std::string_view prefix, std::size_t limit, std::string_view after = {}) const = 0;
};

// As open_rocksdb_event_log; left-over stages stay, since the log decides on them. Errors beside
// those: storage.format, a store that was one of its own and has sessions.
result<std::unique_ptr<replica_store>> open_rocksdb_replica_store(const store_options& options);

}  // namespace soma::storage
