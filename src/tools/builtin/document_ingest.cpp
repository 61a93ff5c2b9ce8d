#include "tools/builtin/document_ingest.hpp"

#include <fcntl.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "core/json_writer.hpp"
#include "tools/builtin/call.hpp"
#include "tools/builtin/text_stream.hpp"
#include "tools/worker_pool.hpp"

namespace soma::tools {
namespace {

namespace json = boost::json;

// Of the output, for what stands around the text.
constexpr std::size_t metadata_bytes = 4096;

tool_outcome told(const attachment& file, extracted document, std::size_t output_bytes) {
  document.metadata["attachment_id"] = file.attachment_id;
  document.metadata["filename"] = file.filename;
  document.metadata["content_type"] = document.content_type;
  document.metadata["size_bytes"] = file.size_bytes;
  const auto text =
      json_fitting(document.text, output_bytes - std::min(output_bytes, metadata_bytes));
  const bool cut = document.truncated || text.size() < document.text.size();
  return success({{"text", text}, {"metadata", std::move(document.metadata)}, {"truncated", cut}});
}

class document_ingest : public tool {
 public:
  explicit document_ingest(document_ingest_parts parts) : parts_(parts) {}

  std::string unavailable() const override { return parts_.reader.unavailable(); }
  bool idempotent(const json::object&) const override { return true; }

  std::unique_ptr<running_tool> start(tool_request request, tool_sink sink) override {
    auto call = std::make_shared<call_state>(std::move(sink));
    auto shared = std::make_shared<tool_request>(std::move(request));
    if (!parts_.workers.post([this, call, shared] { begin(call, *shared); }))
      call->done(failed(codes::tool_busy, "too many tools wait to run", true));
    return handle_of(call);
  }

 private:
  void begin(const std::shared_ptr<call_state>& call, const tool_request& request) {
    if (call->over()) return;
    const auto& own = request.session.tenant;
    if (const auto asked = text_of(request.inputs, "tenant_id", own.value); asked != own.value)
      return call->done(denied("attachments of another tenant cannot be read"));
    auto file = parts_.attachments.find(own, text_of(request.inputs, "attachment_id"));
    if (!file) return call->done(failed(file.error()));
    extraction what;
    what.owner = request.session.tenant.value;
    what.input_fd = open_without_waiting(file->path.c_str(), O_RDONLY | O_NOFOLLOW);
    if (what.input_fd < 0)
      return call->done(failed(codes::storage_unavailable, "the attachment's bytes are missing"));
    what.declared = text_of(request.inputs, "content_type", file->content_type);
    what.limits = request.limits;
    const auto output_bytes = static_cast<std::size_t>(request.limits.output_bytes);
    auto run = parts_.reader.start(
        std::move(what), [call, output_bytes, file = *file](result<extracted> document) {
          call->done(document ? told(file, std::move(*document), output_bytes)
                              : failed(document.error()));
        });
    call->keep(std::move(run));
  }

  const document_ingest_parts parts_;
};

}  // namespace

std::unique_ptr<tool> make_document_ingest(document_ingest_parts parts) {
  return std::make_unique<document_ingest>(parts);
}

}  // namespace soma::tools
