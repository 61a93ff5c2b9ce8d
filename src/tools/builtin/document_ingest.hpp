// document_ingest: {attachment_id, tenant_id?, content_type?, size_bytes?} → {text, metadata,
// truncated} of an attached file. What it is decides how it is read, not what it is said to be.
// Another tenant's attachment is denied.
#pragma once

#include <memory>

#include "tools/attachments.hpp"
#include "tools/builtin/extractor.hpp"
#include "tools/tool.hpp"

namespace soma::tools {

class worker_pool;

struct document_ingest_parts {  // outlive the tool
  extractor& reader;
  worker_pool& workers;
  attachment_source& attachments;
};

std::unique_ptr<tool> make_document_ingest(document_ingest_parts parts);

}  // namespace soma::tools
