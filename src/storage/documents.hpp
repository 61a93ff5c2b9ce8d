// All documents of a collection, however many: they are read a page at a time, so that memory and
// the time for which the store is held are bounded. What is written meanwhile may be seen or not.
#pragma once

#include <string>
#include <string_view>

#include "storage/event_log.hpp"

namespace soma::storage {

// Calls `visit` with each whose key begins so, in the order of their keys; ends at its first error,
// which it returns. Blocks on the disk.
template <class Visit>
result<void> each_document(const event_log& log, std::string_view collection,
                           std::string_view prefix, Visit visit) {
  constexpr std::size_t rows_at_once = 1000;
  std::string after;
  for (;;) {
    auto page = log.list_documents(collection, prefix, rows_at_once, after);
    if (!page) return page.error();
    if (page->empty()) return {};
    after = page->back().first;
    for (auto& [key, value] : *page)
      if (result<void> done = visit(key, value); !done) return done;
    if (page->size() < rows_at_once) return {};
  }
}

}  // namespace soma::storage
