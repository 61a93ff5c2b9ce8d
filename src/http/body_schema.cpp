#include "http/body_schema.hpp"

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <unordered_map>
#include <unordered_set>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/limits.hpp"
#include "core/utf8.hpp"
#include "http/ascii.hpp"

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

// Boost.JSON keeps the last of two equal members; two readers could see two values.
class repeated_member_finder {
 public:
  // The text is known to be JSON. True when an object names a member twice.
  bool find(std::string_view text) {
    json::basic_parser<handler> parser({});
    json::error_code ec;
    parser.write_some(false, text.data(), text.size(), ec);
    return parser.handler().repeated;
  }

 private:
  struct handler {
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
    using ec_t = json::error_code;
    using sv = json::string_view;

    std::vector<std::unordered_set<std::string>> levels;
    std::string key;
    bool repeated = false;

    bool on_document_begin(ec_t&) { return true; }
    bool on_document_end(ec_t&) { return true; }
    bool on_object_begin(ec_t&) { return levels.emplace_back(), true; }
    bool on_object_end(std::size_t, ec_t&) { return levels.pop_back(), true; }
    bool on_array_begin(ec_t&) { return true; }
    bool on_array_end(std::size_t, ec_t&) { return true; }
    bool on_key_part(sv part, std::size_t, ec_t&) {
      key.append(part.data(), part.size());
      return true;
    }
    bool on_key(sv part, std::size_t, ec_t& ec) {
      key.append(part.data(), part.size());
      if (!levels.back().insert(std::move(key)).second) {
        repeated = true;
        ec = json::error::extra_data;
        return false;
      }
      key.clear();
      return true;
    }
    bool on_string_part(sv, std::size_t, ec_t&) { return true; }
    bool on_string(sv, std::size_t, ec_t&) { return true; }
    bool on_number_part(sv, ec_t&) { return true; }
    bool on_int64(std::int64_t, sv, ec_t&) { return true; }
    bool on_uint64(std::uint64_t, sv, ec_t&) { return true; }
    bool on_double(double, sv, ec_t&) { return true; }
    bool on_bool(bool, ec_t&) { return true; }
    bool on_null(ec_t&) { return true; }
    bool on_comment_part(sv, ec_t&) { return true; }
    bool on_comment(sv, ec_t&) { return true; }
  };
};

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
  std::unordered_map<std::string, std::unique_ptr<valijson::Schema>> schemas;
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
    try {
      const json::value document = json::parse({s.text.data(), s.text.size()});
      valijson::SchemaParser parser;
      parser.populateSchema(BoostJsonAdapter(document), *schema);
    } catch (const std::exception& e) {
      return error(codes::internal, "schema " + std::string(s.name) + ": " + e.what());
    }
    all.impl_->schemas.emplace(s.name, std::move(schema));
  }
  return all;
}

bool body_schemas::has(std::string_view name) const {
  return impl_->schemas.count(std::string(name)) > 0;
}

std::optional<body_schemas::refusal> body_schemas::check(std::string_view name,
                                                         std::string_view content_type,
                                                         std::string_view body,
                                                         json::value& out) const {
  if (!is_json_type(content_type))
    return refusal{{codes::request_unsupported_media_type, "This route takes application/json"},
                   {}};
  if (!utf8_valid(body)) return malformed("The body is not UTF-8");
  json::parse_options options;
  options.max_depth = impl_->depth_max;
  json::error_code ec;
  out = json::parse({body.data(), body.size()}, ec, {}, options);
  if (ec) return malformed("The body is not JSON: " + ec.message());
  if (repeated_member_finder().find(body)) return malformed("A member is named twice");

  const auto schema = impl_->schemas.find(std::string(name));
  if (schema == impl_->schemas.end())
    return refusal{{codes::internal, "no schema " + std::string(name)}, {}};
  // A validator keeps its compiled patterns, and is no more thread-safe than they are.
  thread_local valijson::Validator validator;
  valijson::ValidationResults found;
  try {
    if (validator.validate(*schema->second, BoostJsonAdapter(out), &found)) return std::nullopt;
  } catch (const std::exception&) {
    return refusal{{codes::request_invalid, "The body is too complex to be checked"}, {}};
  }
  return describe(found);
}

}  // namespace soma::http
