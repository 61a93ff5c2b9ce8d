#include "core/json_bounds.hpp"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/limits.hpp"

namespace soma {
namespace {

namespace json = boost::json;

// Deeper than any reader of ours goes; the parser recurses.
constexpr std::size_t depth_max = 128;

struct shape_handler {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using ec_t = json::error_code;
  using sv = json::string_view;

  json_shape shape;
  std::vector<std::size_t> levels;  // members of the objects that are open

  bool on_document_begin(ec_t&) { return true; }
  bool on_document_end(ec_t&) { return true; }
  bool on_object_begin(ec_t&) { return levels.push_back(0), true; }
  bool on_object_end(std::size_t, ec_t&) { return levels.pop_back(), true; }
  bool on_array_begin(ec_t&) { return true; }
  bool on_array_end(std::size_t, ec_t&) { return true; }
  bool on_key_part(sv, std::size_t, ec_t&) { return true; }
  bool on_key(sv, std::size_t, ec_t& ec) {
    ++shape.members;
    if (++levels.back() <= limits::json_object_members_max) return true;
    shape.too_wide = true;
    ec = json::error::object_too_large;
    return false;
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

}  // namespace

json_shape json_shape_of(std::string_view text) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::basic_parser<shape_handler> parser(options);
  json::error_code ec;
  parser.write_some(false, text.data(), text.size(), ec);
  return parser.handler().shape;
}

std::size_t json_members_of(const json::value& value) {
  std::size_t count = 0;
  if (const auto* object = value.if_object()) {
    count = object->size();
    for (const auto& member : *object) count += json_members_of(member.value());
  } else if (const auto* array = value.if_array()) {
    for (const auto& element : *array) count += json_members_of(element);
  }
  return count;
}

json::value parse_foreign_json(std::string_view text, boost::system::error_code& ec,
                               const json::parse_options& options, json::storage_ptr memory) {
  if (json_too_wide(text)) {
    ec = json::error::object_too_large;
    return nullptr;
  }
  return json::parse({text.data(), text.size()}, ec, std::move(memory), options);
}

bool json_too_wide(std::string_view text) {
  const auto colons = static_cast<std::size_t>(std::count(text.begin(), text.end(), ':'));
  return colons > limits::json_object_members_max && json_shape_of(text).too_wide;
}

}  // namespace soma
