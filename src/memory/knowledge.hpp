// Knowledge: the passages of documents, kept as memories of kind `knowledge`. They are of no
// session and go with their attachment, which they keep from expiring.
//
//   memory.documents      tenant attachment_id   what is kept of it, as JSON; `done` once all is
//   memory.documents_gone tenant attachment_id   how many passages still are to be deleted
//
// A passage's id follows from its tenant, its attachment and its place among the others: importing
// twice, or again after a crash, writes what is there already.
//
// Thread-safe; blocks on the disk. Lifetime: what it needs outlives it. Errors: quota.exceeded,
// those of the store.
#pragma once

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

class knowledge final : public tools::document_keeper {
 public:
  struct limits {
    std::size_t passages_max = 5000;  // of one document; what is behind them is left out
    bool replicated = false;          // passages go to SomaBrain, too
  };
  knowledge(storage::event_log& log, const memories& kept, limits most,
            std::function<std::int64_t()> now_ms)
      : log_(log), memories_(kept), limits_(most), now_ms_(std::move(now_ms)) {}

  result<std::optional<tools::kept_document>> find(const tenant_id& tenant,
                                                   std::string_view attachment_id) const override;
  result<tools::kept_document> keep(const tools::document_to_keep& what) override;
  result<void> forget(const tenant_id& tenant, std::string_view attachment_id) override;

 private:
  storage::event_log& log_;
  const memories& memories_;
  const limits limits_;
  const std::function<std::int64_t()> now_ms_;
};

// Deletes all passages of a document, if there are any. May be done again, also after a crash
// within.
// `replicated`: SomaBrain is told, too.
result<void> forget_document(storage::event_log& log, const tenant_id& tenant,
                             std::string_view attachment_id, bool replicated);

// The id of a document's passage.
std::string passage_id(const tenant_id& tenant, std::string_view attachment_id, std::size_t number);

// How a document of that type and name is cut.
passage_options passage_options_for(std::string_view content_type, std::string_view filename);

}  // namespace soma::memory
