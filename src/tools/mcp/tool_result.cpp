#include "tools/mcp/tool_result.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_proof.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "tools/builtin/call.hpp"
#include "tools/mcp/limits.hpp"
#include "tools/mcp/message.hpp"

namespace soma::tools::mcp {
namespace {

namespace json = boost::json;

std::string size_text(std::size_t bytes) {
  if (bytes < 1000) return std::to_string(bytes) + " bytes";
  return bytes < 1'000'000 ? std::to_string(bytes / 1000) + " kB"
                           : std::to_string(bytes / 1'000'000) + " MB";
}

std::string described(const json::object& part, std::string_view kind, std::string_view data) {
  const auto text = part.if_contains(data);
  const auto bytes = text && text->is_string() ? text->get_string().size() / 4 * 3 : 0;
  std::string out = "[" + std::string(kind);
  if (const auto type = shown(text_of(part, "mimeType"), 100); !type.empty()) out += ' ' + type;
  return out + ", " + size_text(bytes) + "]";
}

std::string resource_text(const json::object& part) {
  const auto* value = part.if_contains("resource");
  if (!value || !value->is_object()) return "[resource]";
  const auto& resource = value->get_object();
  const auto uri = shown(text_of(resource, "uri"), limits::detail_bytes_max);
  if (resource.contains("text")) return "[" + uri + "]\n" + text_of(resource, "text");
  return described(resource, "resource " + uri, "blob");
}

std::string text_of_part(const json::object& part) {
  const auto type = text_of(part, "type");
  if (type == "text") return text_of(part, "text");
  if (type == "image" || type == "audio") return described(part, type, "data");
  if (type == "resource") return resource_text(part);
  if (type == "resource_link")
    return "[link " + shown(text_of(part, "name"), 100) + ": " +
           shown(text_of(part, "uri"), limits::detail_bytes_max) + "]";
  return "[" + shown(type, 50) + " content]";
}

std::string joined(const json::array& content) {
  std::string out;
  for (const auto& part : content) {
    if (!part.is_object()) continue;
    if (!out.empty()) out += '\n';
    out += text_of_part(part.get_object());
  }
  return out;
}

}  // namespace

tool_outcome outcome_of(const json::object& result, std::string_view structured_json) {
  const auto type = text_of(result, "resultType", "complete");
  if (type == "input_required")
    return failed(codes::tool_failed,
                  "the tool's server asks for input of a person or a model, which it cannot be "
                  "given here");
  if (type != "complete")
    return failed(codes::tool_failed,
                  "the server's result is of the unknown kind " + shown(type, 50));
  const auto* content = result.if_contains("content");
  const auto* structured = result.if_contains("structuredContent");
  if ((!content || !content->is_array()) && !structured)
    return failed(codes::tool_failed, "the server's result has no content");
  auto text = content && content->is_array() ? joined(content->get_array()) : std::string();
  const auto* flag = result.if_contains("isError");
  std::string output;
  json_writer w(output);
  w.begin_object().field("text", text);
  if (structured)
    w.key("structured")
        .raw(structured_json.empty() ? json::serialize(*structured) : std::string(structured_json));
  w.end_object();
  if (!is_raw_json(output))
    return failed(codes::tool_failed, "the server's result is not JSON that can be kept");
  if (!flag || !flag->is_bool() || !flag->get_bool())
    return {"success", std::move(output), std::nullopt};
  auto out = failed(codes::tool_failed,
                    shown(text.empty() ? "the tool failed" : text, limits::detail_bytes_max));
  out.output_json = std::move(output);
  return out;
}

}  // namespace soma::tools::mcp
