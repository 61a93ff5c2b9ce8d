// Small documents that belong to a tenant or the server: settings, keys. Writes are synced.
// Threads, blocking and errors: as event_log.hpp says.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace soma::storage {

struct document_change {
  std::string key;
  std::optional<std::string> value;  // none: deleted
};

class document_store {
 public:
  virtual ~document_store() = default;

  virtual result<std::optional<std::string>> get_document(std::string_view collection,
                                                          std::string_view key) const = 0;
  virtual result<void> put_document(std::string_view collection, std::string_view key,
                                    std::string_view value) = 0;
  // All of them or none, in one synced write.
  virtual result<void> put_documents(
      std::string_view collection,
      std::span<const std::pair<std::string, std::string>> documents) = 0;
  virtual result<void> delete_document(std::string_view collection, std::string_view key) = 0;
  // Written, or without a value deleted: all of them or none, in one synced write. What
  // deletes, too, makes room in the end, and is taken on a full disk.
  virtual result<void> change_documents(std::string_view collection,
                                        std::span<const document_change> changes) = 0;
  // By their keys; those behind `after` alone, where that is given. Whoever wants all of them takes
  // each_document (below).
  virtual result<std::vector<std::pair<std::string, std::string>>> list_documents(
      std::string_view collection, std::string_view prefix, std::size_t limit,
      std::string_view after = {}) const = 0;

  // Whether what a process does with documents of its own accord (sweeping, counting, working off)
  // is this one's to do. Where several share them, one does, once it has all that was written; who
  // asks may be told otherwise a moment later, so what it does must do no harm when done twice.
  virtual bool keeps_documents() const { return true; }
};

// All documents of a collection, however many: they are read a page at a time, so that memory and
// the time for which the store is held are bounded. What is written meanwhile may be seen or not.
// Calls `visit` with each whose key begins so, in the order of their keys; ends at its first error,
// which it returns. Blocks on the disk.
template <class Visit>
result<void> each_document(const document_store& from, std::string_view collection,
                           std::string_view prefix, Visit visit) {
  constexpr std::size_t rows_at_once = 1000;
  std::string after;
  for (;;) {
    auto page = from.list_documents(collection, prefix, rows_at_once, after);
    if (!page) return page.error();
    if (page->empty()) return {};
    after = page->back().first;
    for (auto& [key, value] : *page)
      if (result<void> done = visit(key, value); !done) return done;
    if (page->size() < rows_at_once) return {};
  }
}

}  // namespace soma::storage
