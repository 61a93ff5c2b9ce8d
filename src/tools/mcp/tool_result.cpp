#include "tools/mcp/tool_result.hpp"

#include <boost/json.hpp>
#include <optional>

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

// What should be text, and is a number or a structure with some.
std::string as_text(const json::object& part, std::string_view name) {
  const auto* value = part.if_contains(name);
  if (!value || value->is_null()) return {};
  return value->is_string() ? std::string(value->get_string()) : json::serialize(*value);
}

std::string resource_text(const json::object& part) {
  const auto* value = part.if_contains("resource");
  if (!value || !value->is_object()) return "[resource]";
  const auto& resource = value->get_object();
  const auto uri = shown(text_of(resource, "uri"), limits::detail_bytes_max);
  if (resource.contains("text")) return "[" + uri + "]\n" + as_text(resource, "text");
  return described(resource, "resource " + uri, "blob");
}

std::string text_of_part(const json::object& part) {
  const auto type = text_of(part, "type");
  if (type == "text" || (type.empty() && part.contains("text"))) return as_text(part, "text");
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
    if (!part.is_object() && !part.is_string()) continue;
    if (!out.empty()) out += '\n';
    if (part.is_string())
      out += part.get_string();
    else
      out += text_of_part(part.get_object());
  }
  return out;
}

// A list of parts, as it should be; or one part, or text; nullopt: there is none.
std::optional<std::string> content_of(const json::object& result) {
  const auto* content = result.if_contains("content");
  if (!content) return std::nullopt;
  if (content->is_string()) return std::string(content->get_string());
  if (const auto* list = content->if_array()) return joined(*list);
  const auto* part = content->if_object();
  if (!part || !part->contains("type")) return std::nullopt;
  return text_of_part(*part);
}

bool is_error(const json::object& result) {
  const auto* flag = result.if_contains("isError");
  if (!flag) return false;
  if (flag->is_bool()) return flag->get_bool();
  if (flag->is_string()) return flag->get_string() == "true" || flag->get_string() == "True";
  return flag->is_number() && *flag != json::value(0);
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
  const auto content = content_of(result);
  const auto* structured = result.if_contains("structuredContent");
  if (structured && structured->is_null()) structured = nullptr;
  if (!content && !structured)
    return failed(codes::tool_failed, "the server's result has no content");
  const auto text = content.value_or(std::string());
  std::string output;
  json_writer w(output);
  w.begin_object().field("text", text);
  if (structured)
    w.key("structured")
        .raw(structured_json.empty() ? json::serialize(*structured) : std::string(structured_json));
  w.end_object();
  if (!is_raw_json(output))
    return failed(codes::tool_failed, "the server's result is not JSON that can be kept");
  if (!is_error(result)) return {"success", std::move(output), std::nullopt};
  auto out = failed(codes::tool_failed,
                    shown(text.empty() ? "the tool failed" : text, limits::detail_bytes_max));
  out.output_json = std::move(output);
  return out;
}

}  // namespace soma::tools::mcp
