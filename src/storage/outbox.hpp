// What was committed for others to take, oldest first: a row names its sink, and who serves that
// sink reads its rows, does with them what it does, and deletes them. Rows come with an append
// (append_op::outbox) or with documents, in their atom.
//
// A sink without a reader grows without end: whoever writes rows for one sees to it that they are
// deleted, also while they cannot be served. Threads, blocking and errors: as event_log.hpp says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "storage/session_log.hpp"

namespace soma::storage {

struct outbox_entry {
  std::uint64_t number = 0;  // grows from row to row, over openings too
  std::string payload;
};

struct outbox_page {
  std::vector<outbox_entry> rows;
  std::uint64_t scanned =
      0;             // number of the last row looked at, others' included: go on from there
  bool end = false;  // there are no more
};

// A document that must be there. Whoever writes what it made of one says what it read, so that what
// another wrote meanwhile is not undone.
struct expected_document {
  std::string collection, key;
  std::optional<std::string> value{};  // none: whatever it is
};

// Documents of several collections and rows for sinks, written in one synced atom.
struct row_batch {
  // Else nothing is written: what is deleted meanwhile does not come back.
  std::vector<expected_document> expected;
  std::vector<std::pair<std::string, std::string>> deleted;  // before `documents` come
  std::vector<document_row> documents;
  std::vector<outbox_row> outbox;
  std::vector<idempotency_record> idempotency;  // put if absent: else nothing is written
};

class outbox_rows {
 public:
  virtual ~outbox_rows() = default;

  // Rows of a sink behind `after`. A page ends after `rows_max` of them, or after eight times as
  // many were looked at, and may be empty without being the last.
  virtual result<outbox_page> read_outbox(std::string_view sink, std::uint64_t after,
                                          std::size_t rows_max) const = 0;

  // Deletes rows of a sink by their numbers; not synced: after a crash some may be there again.
  virtual result<void> delete_outbox(std::string_view sink,
                                     const std::vector<std::uint64_t>& numbers) = 0;

  // False: an expected document is not there, or is another, and nothing was written. A batch that
  // deletes is taken on a full disk. Fails with idempotency.exists as an append does.
  virtual result<bool> write_rows(const row_batch& batch) = 0;

  // Calls `told` after each commit that brought rows, with the number of the last, on the thread
  // that wrote them; it must not block nor call the store. An empty one: nobody is told any more,
  // from the moment this returns.
  virtual void on_outbox(std::function<void(std::uint64_t last)> told) = 0;
};

}  // namespace soma::storage
