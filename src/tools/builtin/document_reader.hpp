// Reads an attachment's text, and has it kept as knowledge where that is asked: what the tool and
// the import of knowledge have in common.
//
// Thread-safe. Lifetime: its parts outlive it, and it outlives what it began.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/tenant_places.hpp"
#include "tools/attachments.hpp"
#include "tools/builtin/extractor.hpp"
#include "tools/document_keeper.hpp"

namespace soma::tools {

class worker_pool;

struct document_ingest_parts {  // outlive what is made of them
  extractor& reader;
  worker_pool& workers;
  attachment_source& attachments;
  document_keeper* keeper = nullptr;  // null: nothing is kept
  tenant_places* imports = nullptr;   // of documents that are being kept; null: without bound
};

struct wanted_document {
  tenant_id tenant;
  std::string user_id, attachment_id;
  std::string session_id{};  // in which it is asked for; empty: in none
  std::string declared{};    // its type, as somebody said; empty: as it was sent
  execution_profile limits{};
  bool remember = false;
  bool sees_all = false;    // as attachment_reader
  answer_to_keep answer{};  // of `import`

  attachment_reader reader() const { return {tenant, user_id, sees_all}; }
};

struct document_read {
  attachment file;
  extracted document;
  std::optional<kept_document> kept{};  // where it is to be remembered
};

class document_reader {
 public:
  using done = std::function<void(result<document_read>)>;
  explicit document_reader(document_ingest_parts parts) : parts_(parts) {}

  std::string unavailable() const { return parts_.reader.unavailable(); }

  // Blocks on the disk while it looks for the file. `on_end` comes once, from a thread of the
  // workers or of the sandbox, unless the handle is gone before. Errors: those of the attachments,
  // of the extractor and of the keeper; tool.busy where it is to be kept and there is no place.
  std::unique_ptr<sandbox_run> start(const wanted_document& wanted, done on_end) const;

  // A place among the documents that are being kept, for `import`; null: there is none left.
  std::shared_ptr<void> enter(const tenant_id& tenant) const;
  // Has it kept, unless it is, and waits for the end: as long as the limits allow, and then for the
  // disk. Errors as above, but for the place, which is the caller's.
  result<kept_document> import(wanted_document wanted) const;

 private:
  using extracted_done = std::function<void(const attachment&, result<extracted>)>;
  std::unique_ptr<sandbox_run> extract(const wanted_document& wanted, extracted_done on_end) const;
  result<document_read> keep(const wanted_document& wanted, document_read read) const;

  const document_ingest_parts parts_;
};

}  // namespace soma::tools
