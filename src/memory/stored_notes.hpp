// Notes as documents of the store: every one of a tenant is looked at, until memory has an index.
//
// Thread-safe; blocks on the disk. Lifetime: the documents outlive it.
#pragma once

#include <cstddef>
#include <mutex>

#include "memory/notes.hpp"
#include "storage/documents.hpp"

namespace soma::memory {

class stored_notes final : public notes {
 public:
  static constexpr std::size_t notes_max = 2000;  // of a tenant

  explicit stored_notes(storage::document_store& documents) : documents_(documents) {}

  result<std::string> save(const session_key& session, std::string_view text) override;
  result<std::vector<note>> recall(const tenant_id& tenant, std::string_view query,
                                   std::size_t limit) override;

 private:
  storage::document_store& documents_;
  std::mutex saving_;  // or two could both be the last that fits
};

// Which share of the query's words a text has, whatever their case. 0 to 1.
double word_score(std::string_view query, std::string_view text);

}  // namespace soma::memory
