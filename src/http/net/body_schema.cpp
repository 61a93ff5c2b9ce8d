#include "http/net/body_schema.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <limits>
#include <map>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/json_writer.hpp"
#include "core/limits.hpp"
#include "core/utf8.hpp"
#include "http/net/ascii.hpp"
#include "http/net/quick_schema.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;
using valijson::adapters::BoostJsonAdapter;

// How valijson 1.0 words an additional property; tests/http/guard_test.cpp holds it to that.
constexpr std::string_view unknown_field_words = "'additionalProperties' constraints: '";

bool is_json_type(std::string_view content_type) {
  const auto semicolon = content_type.find(';');
  if (!iequals(trim(content_type.substr(0, semicolon)), "application/json")) return false;
  if (semicolon == std::string_view::npos) return true;
  const auto parameter = trim(content_type.substr(semicolon + 1));
  return iequals(parameter, "charset=utf-8") || iequals(parameter, "charset=\"utf-8\"");
}

// That a client may add to what its values need.
constexpr std::uint64_t white_space_bytes = 1024;
constexpr std::uint64_t unbounded = std::numeric_limits<std::uint64_t>::max();

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  return a > unbounded - b ? unbounded : a + b;
}

// The most bytes that a value of this schema takes as JSON without white space, each character of a
// string as an escaped pair of surrogates; `unbounded` where the schema does not say.
std::uint64_t bytes_max_of(const json::value& schema) {
  constexpr std::uint64_t escaped_bytes = 12, number_bytes = 32;
  const auto* s = schema.if_object();
  if (!s) return unbounded;
  const auto number = [s](const char* name) -> std::optional<std::uint64_t> {
    const auto* found = s->if_contains(name);
    return found && found->is_int64() ? std::optional(static_cast<std::uint64_t>(found->as_int64()))
                                      : std::nullopt;
  };
  if (const auto* values = s->if_contains("enum")) return json::serialize(*values).size();
  const auto* type = s->if_contains("type");
  if (!type) return unbounded;
  std::uint64_t most = 0;
  const auto of_type = [&](std::string_view name) -> std::uint64_t {
    if (name == "boolean" || name == "null") return 5;
    if (name == "integer" || name == "number") return number_bytes;
    if (name == "string") {
      const auto length = number("maxLength");
      return length ? 2 + escaped_bytes * *length : unbounded;
    }
    if (name == "array") {
      const auto count = number("maxItems");
      const auto* items = s->if_contains("items");
      const auto each = items ? bytes_max_of(*items) : unbounded;
      if (!count || each == unbounded) return unbounded;
      return 2 + *count * (each + 1);
    }
    const auto* others = s->if_contains("additionalProperties");
    const auto* properties = s->if_contains("properties");
    if (!others || *others != false) return unbounded;
    std::uint64_t all = 2;
    if (properties)
      for (const auto& member : properties->as_object())
        all = sum(all, sum(bytes_max_of(member.value()), 6 * member.key().size() + 4));
    return all;
  };
  if (const auto* one = type->if_string()) return of_type({one->data(), one->size()});
  if (const auto* several = type->if_array())
    for (const auto& name : *several)
      most = std::max(most, of_type({name.as_string().data(), name.as_string().size()}));
  return most == 0 ? unbounded : most;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(out, text);
  return out += '"';
}

// One step of a JSON pointer (RFC 6901).
void append_step(std::string& pointer, std::string_view name) {
  pointer += '/';
  for (const char c : name) {
    if (c == '~')
      pointer += "~0";
    else if (c == '/')
      pointer += "~1";
    else
      pointer += c;
  }
}

// valijson names places as {"<root>", "[attachments]", "[0]"}.
std::string pointer_of(const std::vector<std::string>& context) {
  std::string pointer;
  for (const std::string_view part : context)
    if (part.size() >= 2 && part.front() == '[' && part.back() == ']')
      append_step(pointer, part.substr(1, part.size() - 2));
  return pointer;
}

body_schemas::refusal malformed(std::string detail) {
  return {{codes::request_malformed_json, std::move(detail)}, {}};
}

body_schemas::refusal describe(const valijson::ValidationResults& found) {
  for (const auto& e : found) {
    const auto at = e.description.find(unknown_field_words);
    if (at == std::string::npos) continue;
    auto field = e.description.substr(at + unknown_field_words.size());
    field.resize(field.rfind('\'') == std::string::npos ? field.size() : field.rfind('\''));
    auto pointer = pointer_of(e.context);
    append_step(pointer, field);
    return {{codes::request_unknown_field, "The member " + pointer + " is not known here"},
            {{"field", quoted(pointer)}}};
  }
  std::string list;
  json_writer out(list);
  out.begin_array();
  std::size_t count = 0;
  for (const auto& e : found) {
    if (++count > limits::http_schema_errors_max) break;
    out.begin_object().field("pointer", pointer_of(e.context)).field("detail", e.description);
    out.end_object();
  }
  out.end_array();
  return {{codes::request_invalid, "The body is well-formed but not what this route takes"},
          {{"errors", std::move(list)}}};
}

}  // namespace

struct body_schemas::impl {
  struct compiled {
    std::unique_ptr<valijson::Schema> schema;
    std::uint64_t bytes_max = unbounded;
    quick_schema quick;
  };
  std::map<std::string, compiled, std::less<>> schemas;  // by operation id
  std::size_t depth_max = 0;
};

body_schemas::body_schemas() : impl_(std::make_unique<impl>()) {}
body_schemas::~body_schemas() = default;
body_schemas::body_schemas(body_schemas&&) noexcept = default;
body_schemas& body_schemas::operator=(body_schemas&&) noexcept = default;

result<body_schemas> body_schemas::compile(const std::vector<source>& sources,
                                           std::size_t depth_max) {
  body_schemas all;
  all.impl_->depth_max = depth_max;
  for (const auto& s : sources) {
    auto schema = std::make_unique<valijson::Schema>();
    std::uint64_t bytes_max = unbounded;
    quick_schema quick;
    try {
      const json::value document = json::parse({s.text.data(), s.text.size()});
      valijson::SchemaParser parser;
      parser.populateSchema(BoostJsonAdapter(document), *schema);
      bytes_max = sum(bytes_max_of(document), white_space_bytes);
      quick = quick_schema(document);
    } catch (const std::exception& e) {
      return error(codes::internal, "schema " + std::string(s.name) + ": " + e.what());
    }
    all.impl_->schemas.emplace(s.name,
                               impl::compiled{std::move(schema), bytes_max, std::move(quick)});
  }
  return all;
}

bool body_schemas::has(std::string_view name) const {
  return impl_->schemas.find(name) != impl_->schemas.end();
}

std::uint64_t body_schemas::bytes_max(std::string_view name) const {
  const auto found = impl_->schemas.find(name);
  return found == impl_->schemas.end() ? unbounded : found->second.bytes_max;
}

std::optional<body_schemas::refusal> body_schemas::check(std::string_view name,
                                                         std::string_view content_type,
                                                         std::string_view body,
                                                         json::value& out) const {
  if (!is_json_type(content_type))
    return refusal{{codes::request_unsupported_media_type, "This route takes application/json"},
                   {}};
  if (!utf8_valid(body)) return malformed("The body is not UTF-8");
  // No more members than colons: with few of them no object is too wide, and where they are as many
  // as the members that were read, none was named twice.
  const auto colons = static_cast<std::size_t>(std::count(body.begin(), body.end(), ':'));
  std::optional<json_shape> shape;
  if (colons > limits::json_object_members_max) shape = json_shape_of(body);
  if (shape && shape->too_wide)
    return refusal{{codes::request_invalid, "An object of the body has too many members"}, {}};
  json::parse_options options;
  options.max_depth = impl_->depth_max;
  json::error_code ec;
  out = json::parse({body.data(), body.size()}, ec, {}, options);
  if (ec) return malformed("The body is not JSON: " + ec.message());
  if (const auto members = json_members_of(out); members != colons) {
    if (!shape) shape = json_shape_of(body);
    if (members != shape->members) return malformed("A member is named twice");
  }

  const auto schema = impl_->schemas.find(name);
  if (schema == impl_->schemas.end())
    return refusal{{codes::internal, "no schema " + std::string(name)}, {}};
  if (schema->second.quick.accepts(out)) return std::nullopt;
  // A validator keeps its compiled patterns, and is no more thread-safe than they are.
  thread_local valijson::Validator validator;
  valijson::ValidationResults found;
  try {
    if (validator.validate(*schema->second.schema, BoostJsonAdapter(out), &found))
      return std::nullopt;
  } catch (const std::exception&) {
    return refusal{{codes::request_invalid, "The body is too complex to be checked"}, {}};
  }
  return describe(found);
}

}  // namespace soma::http
