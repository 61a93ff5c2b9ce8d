// document_ingest: {attachment_id, remember?, tenant_id?, content_type?, size_bytes?} → {text,
// metadata, truncated, remembered?} of an attached file. What it is decides how it is read, not
// what it is said to be. Another tenant's attachment is denied. `remember`: all of it is kept as
// knowledge, however little of the text is given back.
#pragma once

#include <memory>

#include "tools/builtin/document_reader.hpp"
#include "tools/tool.hpp"

namespace soma::tools {

std::unique_ptr<tool> make_document_ingest(document_ingest_parts parts);

}  // namespace soma::tools
