#include "tools/builtin/document_ingest.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "tools/builtin/call.hpp"
#include "tools/worker_pool.hpp"

namespace soma::tools {
namespace {

namespace json = boost::json;

// Of the output, for what stands around the text.
constexpr std::size_t metadata_bytes = 4096;

tool_outcome told(document_read read, std::size_t output_bytes) {
  auto& [file, document, kept] = read;
  document.metadata["attachment_id"] = file.attachment_id;
  document.metadata["filename"] = file.filename;
  document.metadata["content_type"] = document.content_type;
  document.metadata["size_bytes"] = file.size_bytes;
  std::replace(document.text.begin(), document.text.end(), '\f', '\n');
  const auto text =
      json_fitting(document.text, output_bytes - std::min(output_bytes, metadata_bytes));
  const bool cut = document.truncated || text.size() < document.text.size();
  json::object out{{"text", text}, {"metadata", std::move(document.metadata)}, {"truncated", cut}};
  if (kept)
    out["remembered"] = {
        {"passages", kept->passages}, {"truncated", kept->cut}, {"again", kept->again}};
  return success(out);
}

bool asks_to_remember(const json::object& inputs) {
  const auto* given = inputs.if_contains("remember");
  return given && given->is_bool() && given->get_bool();
}

class document_ingest : public tool {
 public:
  explicit document_ingest(document_ingest_parts parts) : parts_(parts), reader_(parts) {}

  std::string unavailable() const override { return reader_.unavailable(); }
  // What was kept is not kept twice.
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
    wanted_document wanted;
    wanted.tenant = own;
    wanted.user_id = request.user_id;
    wanted.session_id = request.session.session.value;
    wanted.attachment_id = text_of(request.inputs, "attachment_id");
    wanted.declared = text_of(request.inputs, "content_type");
    wanted.limits = request.limits;
    wanted.remember = asks_to_remember(request.inputs);
    const auto output_bytes = static_cast<std::size_t>(request.limits.output_bytes);
    call->keep(reader_.start(wanted, [call, output_bytes](result<document_read> read) {
      call->done(read ? told(std::move(*read), output_bytes) : failed(read.error()));
    }));
  }

  const document_ingest_parts parts_;
  const document_reader reader_;
};

}  // namespace

std::unique_ptr<tool> make_document_ingest(document_ingest_parts parts) {
  return std::make_unique<document_ingest>(parts);
}

}  // namespace soma::tools
