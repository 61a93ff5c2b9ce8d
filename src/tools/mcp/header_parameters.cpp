#include "tools/mcp/header_parameters.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "core/codes.hpp"
#include "core/json_text.hpp"

namespace soma::tools::mcp {
namespace {

namespace json = boost::json;

constexpr std::string_view annotation = "x-mcp-header", prefix = "Mcp-Param-";
constexpr std::size_t header_name_bytes_max = 64, headers_max = 32;
constexpr std::string_view base64_begin = "=?base64?", base64_end = "?=";

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= header_name_bytes_max &&
         text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
             "!#$%&'*+-.^_`|~") == text.npos;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

struct search {
  std::vector<header_parameter> found;
  std::set<std::string> names;
  std::vector<std::string> path;
  std::string fault;

  void fail(std::string why) {
    if (fault.empty()) fault = std::string(annotation) + " " + std::move(why);
  }

  // `here`: whether a chain of `properties` alone leads here.
  void visit(const json::value& at, bool here) {
    if (!fault.empty()) return;
    if (const auto* list = at.if_array())
      for (const auto& one : *list) visit(one, false);
    const auto* schema = at.if_object();
    if (!schema) return;
    if (const auto* name = schema->if_contains(annotation)) annotated(*schema, *name, here);
    for (const auto& [keyword, value] : *schema) {
      if (keyword == "properties" && value.is_object()) {
        for (const auto& [name, one] : value.get_object()) {
          path.emplace_back(name);
          visit(one, here);
          path.pop_back();
        }
      } else if (keyword != "enum" && keyword != "const" && keyword != "default" &&
                 keyword != "examples") {
        visit(value, false);
      }
    }
  }

  void annotated(const json::object& schema, const json::value& name, bool here) {
    if (!here || path.empty()) return fail("stands where no parameter is");
    if (!name.is_string() || !is_token(name.get_string())) return fail("is no name of a header");
    const auto type = text_of(schema, "type");
    if (type != "string" && type != "integer" && type != "boolean")
      return fail("is of a parameter that is no text, integer or truth value");
    const std::string_view text = name.get_string();
    if (!names.insert(lower(text)).second) return fail("names a header twice");
    if (found.size() >= headers_max) return fail("is there too often");
    found.push_back({std::string(prefix).append(text), path});
  }
};

std::string base64(std::string_view bytes) {
  static constexpr char letters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t n) -> unsigned {
      return i + n < bytes.size() ? static_cast<unsigned char>(bytes[i + n]) : 0;
    };
    const unsigned three = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (int n = 0; n < 4; ++n)
      out += i + static_cast<std::size_t>(n) <= bytes.size() ? letters[three >> (18 - 6 * n) & 63]
                                                             : '=';
  }
  return out;
}

std::string text_of_value(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  boost::system::error_code ec;  // 42.0 is an integer too
  if (const auto whole = value.to_number<std::int64_t>(ec); !ec) return std::to_string(whole);
  return json::serialize(value);
}

}  // namespace

result<std::vector<header_parameter>> header_parameters_of(const json::object& schema) {
  search all;
  all.visit(json::value(schema), true);
  if (!all.fault.empty()) return error(codes::tool_schema_invalid, all.fault);
  return std::move(all.found);
}

std::string header_value(std::string_view text) {
  const auto plain = [](char c) { return c >= ' ' && c <= '~'; };
  const bool edges = !text.empty() && (text.front() == ' ' || text.back() == ' ');
  const bool marked = text.starts_with(base64_begin) && text.ends_with(base64_end);
  if (!edges && !marked && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  return std::string(base64_begin) + base64(text) + std::string(base64_end);
}

std::vector<std::pair<std::string, std::string>> headers_of(
    const std::vector<header_parameter>& parameters, const json::object& inputs) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& parameter : parameters) {
    const json::object* in = &inputs;
    const json::value* value = nullptr;
    for (const auto& name : parameter.path) {
      value = in ? in->if_contains(name) : nullptr;
      in = value ? value->if_object() : nullptr;
    }
    if (value && value->is_primitive() && !value->is_null())
      out.emplace_back(parameter.header, header_value(text_of_value(*value)));
  }
  return out;
}

}  // namespace soma::tools::mcp
