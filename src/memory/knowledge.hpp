// Knowledge: the passages of documents, kept as memories of kind `knowledge`. They are of no
// session and go with their attachment, which they keep from expiring.
//
//   memory.documents      tenant attachment_id   what is kept of it, as JSON; `done` once all is
//   memory.documents_gone tenant attachment_id   how many passages still are to be deleted
//
// A passage's id follows from its tenant, its attachment and its place among the others: importing
// twice, or again after a crash, writes what is there already. So one document is kept or forgotten
// at a time.
//
// Thread-safe; blocks on the disk. Lifetime: what it needs outlives it. Errors: quota.exceeded,
// those of the store.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "memory/memories.hpp"
#include "memory/passages.hpp"
#include "storage/event_log.hpp"
#include "tools/document_keeper.hpp"

namespace soma::memory {

inline constexpr std::string_view document_collection = "memory.documents";
inline constexpr std::string_view gone_document_collection = "memory.documents_gone";
// In place of a session, among the uses of an attachment.
inline constexpr std::string_view knowledge_use = "-";

// What is kept of an attachment, as a list shows it.
struct known_document {
  std::string attachment_id, filename, owner;
  std::string session_id;  // in which a tool kept it; empty: in none
  std::size_t passages = 0;
  std::uint64_t bytes = 0;  // of their texts
  std::int64_t imported_at_ms = 0;
};
struct document_page {
  std::vector<known_document> documents;
  std::string next_cursor;  // empty: no more; a page may be short, or empty, and not the last
};

class knowledge final : public tools::document_keeper {
 public:
  struct limits {
    std::size_t passages_max = 5000;  // of one document; what is behind them is left out
    bool replicated = false;          // passages go to SomaBrain, too
    // How long an attachment that nothing else uses stays once it is no knowledge any more.
    std::int64_t unclaimed_ms = 24ll * 3600 * 1000;
    std::size_t looked_at_max = 1000;  // documents, for one page of a list
  };
  knowledge(storage::event_log& log, const memories& kept, limits most,
            std::function<std::int64_t()> now_ms)
      : log_(log), memories_(kept), limits_(most), now_ms_(std::move(now_ms)) {}

  result<std::optional<tools::kept_document>> find(const tenant_id& tenant,
                                                   std::string_view attachment_id) const override;
  result<tools::kept_document> keep(const tools::document_to_keep& what) override;
  result<void> keep_answer(const tools::answer_to_keep& answer,
                           const tools::kept_document& what) override;
  result<void> forget(const tenant_id& tenant, std::string_view attachment_id) override;

  // In the order of their ids, also those that were not imported to their end. `limit`: at least 1.
  // Errors: request.invalid_parameter about the cursor.
  result<document_page> list(const viewer& who, std::string_view cursor, std::size_t limit) const;
  // Deletes the passages, and leaves the attachment. Gives how many there were. Errors:
  // memory.not_found.
  result<std::size_t> forget_kept(const viewer& who, std::string_view attachment_id);
  // Deletes what was being forgotten when the process ended. Gives how many documents.
  result<std::size_t> finish_forgetting();

 private:
  disk_mutex& lock_of(const tenant_id& tenant, std::string_view attachment_id);

  storage::event_log& log_;
  const memories& memories_;
  const limits limits_;
  const std::function<std::int64_t()> now_ms_;
  std::array<disk_mutex, 16> locks_;  // over keeping and forgetting a document; by its key
};

// Deletes all passages of a document, if there are any, and gives how many there were. May be done
// again, also after a crash within.
// `replicated`: SomaBrain is told, too. `stays_until_ms`: its attachment stays, and is looked at
// then; 0: it is gone.
result<std::size_t> forget_document(storage::event_log& log, const tenant_id& tenant,
                                    std::string_view attachment_id, bool replicated,
                                    std::int64_t stays_until_ms = 0);

// The id of a document's passage.
std::string passage_id(const tenant_id& tenant, std::string_view attachment_id, std::size_t number);

// How a document of that type and name is cut.
passage_options passage_options_for(std::string_view content_type, std::string_view filename);

}  // namespace soma::memory
