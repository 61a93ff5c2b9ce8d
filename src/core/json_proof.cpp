#include "core/json_proof.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <cmath>

namespace soma {
namespace {

namespace json = boost::json;

// Looks at numbers as text and remembers the first that is past the bound.
struct number_handler {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using ec_t = json::error_code;
  using sv = json::string_view;

  std::optional<number_bound> bound{};
  std::string number{};
  std::string past{};  // empty: none is

  bool on_number_part(sv part, ec_t&) {
    if (bound) number.append(part.data(), part.size());
    return true;
  }
  bool on_double(double value, sv part, ec_t&) {
    if (!bound) return true;
    number.append(part.data(), part.size());
    // An integer of more than 64 bits comes as a double.
    const bool integer = number.find_first_of(".eE") == std::string::npos;
    if (past.empty() && (std::isinf(value) || (integer && *bound == number_bound::exact)))
      past = number.substr(0, 40);
    number.clear();
    return true;
  }
  bool on_int64(std::int64_t, sv, ec_t&) { return number.clear(), true; }
  bool on_uint64(std::uint64_t, sv, ec_t&) { return number.clear(), true; }

  bool on_document_begin(ec_t&) { return true; }
  bool on_document_end(ec_t&) { return true; }
  bool on_object_begin(ec_t&) { return true; }
  bool on_object_end(std::size_t, ec_t&) { return true; }
  bool on_array_begin(ec_t&) { return true; }
  bool on_array_end(std::size_t, ec_t&) { return true; }
  bool on_key_part(sv, std::size_t, ec_t&) { return true; }
  bool on_key(sv, std::size_t, ec_t&) { return true; }
  bool on_string_part(sv, std::size_t, ec_t&) { return true; }
  bool on_string(sv, std::size_t, ec_t&) { return true; }
  bool on_bool(bool, ec_t&) { return true; }
  bool on_null(ec_t&) { return true; }
  bool on_comment_part(sv, ec_t&) { return true; }
  bool on_comment(sv, ec_t&) { return true; }
};

struct walk {
  walk(std::string_view text, std::size_t depth_max, std::optional<number_bound> bound)
      : parser(options_of(depth_max), number_handler{bound}) {
    json::error_code ec;
    const auto read = parser.write_some(false, text.data(), text.size(), ec);
    // What follows the value is no error to the parser, but to us.
    whole = !ec && parser.done() && text.find_first_not_of(" \t\r\n", read) == text.npos;
  }
  static json::parse_options options_of(std::size_t depth_max) {
    json::parse_options options;
    options.max_depth = depth_max;
    return options;
  }

  json::basic_parser<number_handler> parser;
  bool whole = false;
};

}  // namespace

bool is_json(std::string_view text, std::size_t depth_max) {
  return walk(text, depth_max, std::nullopt).whole;
}

std::optional<std::string> number_past(std::string_view json, number_bound bound) {
  walk all(json, json_depth_max, bound);
  auto& past = all.parser.handler().past;
  if (past.empty()) return std::nullopt;
  return std::move(past);
}

std::string without_infinities(std::string_view text) {
  constexpr std::string_view word = "Infinity";
  std::string out;
  bool inside = false;  // of a string
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (inside && c == '\\' && i + 1 < text.size()) {
      out += c;
      out += text[++i];
      continue;
    }
    if (c == '"') inside = !inside;
    if (!inside && text.substr(i, word.size()) == word) {
      out += "1e99999";
      i += word.size() - 1;
      continue;
    }
    out += c;
  }
  return out;
}

}  // namespace soma
