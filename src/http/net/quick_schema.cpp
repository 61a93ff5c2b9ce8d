#include "http/net/quick_schema.hpp"

#include <algorithm>
#include <bitset>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace soma::http {
namespace {

namespace json = boost::json;

constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();
constexpr double exact_integers = 9'007'199'254'740'992.0;  // 2^53: doubles are exact below it

std::string_view view(const json::string& s) {
  return {s.data(), s.size()};
}

// A pattern that is a row of characters or classes, each with its count. Taken greedily and never
// again otherwise, so it may miss a match, and finds no wrong one.
class plain_pattern {
 public:
  static std::optional<plain_pattern> of(std::string_view text) {
    if (text.size() < 2 || text.front() != '^' || text.back() != '$') return std::nullopt;
    text = text.substr(1, text.size() - 2);
    plain_pattern out;
    while (!text.empty()) {
      part next;
      if (!take_characters(text, next) || !take_count(text, next)) return std::nullopt;
      out.parts_.push_back(next);
    }
    return out;
  }

  bool matches(std::string_view text) const {
    for (const auto& one : parts_) {
      std::size_t count = 0;
      while (count < one.most && count < text.size() &&
             one.characters[static_cast<unsigned char>(text[count])])
        ++count;
      if (count < one.least) return false;
      text.remove_prefix(count);
    }
    return text.empty();
  }

 private:
  struct part {
    std::bitset<256> characters;
    std::size_t least = 1, most = 1;
  };

  static bool is_plain(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x7F &&
           std::string_view("\\^$.|?*+()[]{}").find(c) == std::string_view::npos;
  }

  static bool take_characters(std::string_view& text, part& out) {
    if (text[0] != '[') {
      if (!is_plain(text[0])) return false;
      out.characters.set(static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
      return true;
    }
    const auto end = text.find(']');
    if (end == std::string_view::npos || end == 1 || text[1] == '^') return false;
    auto inside = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    while (!inside.empty()) {
      const auto first = static_cast<unsigned char>(inside[0]);
      auto last = first;
      if (first == '\\' || first == '[' || first >= 0x7F) return false;
      if (inside.size() >= 3 && inside[1] == '-') {
        last = static_cast<unsigned char>(inside[2]);
        inside.remove_prefix(2);
      }
      inside.remove_prefix(1);
      if (last < first || last == '\\' || last >= 0x7F) return false;
      for (unsigned c = first; c <= last; ++c) out.characters.set(c);
    }
    return true;
  }

  static bool take_count(std::string_view& text, part& out) {
    if (text.empty()) return true;
    if (text[0] == '*' || text[0] == '+') {
      out.least = text[0] == '*' ? 0 : 1;
      out.most = any_number;
      text.remove_prefix(1);
    } else if (text[0] == '{') {
      const auto* end = text.data() + text.size();
      auto [at, ec] = std::from_chars(text.data() + 1, end, out.least);
      if (ec != std::errc{}) return false;
      out.most = out.least;
      if (at != end && *at == ',') {
        const auto upper = std::from_chars(at + 1, end, out.most);
        if (upper.ec != std::errc{}) return false;
        at = upper.ptr;
      }
      if (at == end || *at != '}') return false;
      text.remove_prefix(static_cast<std::size_t>(at + 1 - text.data()));
    }
    // What could be a second count, or a lazy one, is not read here.
    return text.empty() || std::string_view("?*+{").find(text[0]) == std::string_view::npos;
  }

  std::vector<part> parts_;
};

// Code points, as the validator counts.
std::size_t length_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

struct range {
  std::size_t least = 0, most = any_number;
  bool has(std::size_t n) const { return n >= least && n <= most; }
};

enum type_bit : unsigned {
  null_bit = 1,
  boolean_bit = 2,
  integer_bit = 4,
  number_bit = 8,
  string_bit = 16,
  array_bit = 32,
  object_bit = 64,
  any_bit = 127,
};

unsigned type_named(std::string_view name) {
  if (name == "null") return null_bit;
  if (name == "boolean") return boolean_bit;
  if (name == "integer") return integer_bit;
  if (name == "number") return number_bit | integer_bit;
  if (name == "string") return string_bit;
  if (name == "array") return array_bit;
  if (name == "object") return object_bit;
  return 0;
}

unsigned type_of(const json::value& v) {
  switch (v.kind()) {
    case json::kind::null: return null_bit;
    case json::kind::bool_: return boolean_bit;
    case json::kind::int64:
    case json::kind::uint64: return integer_bit;
    case json::kind::double_: return number_bit;
    case json::kind::string: return string_bit;
    case json::kind::array: return array_bit;
    case json::kind::object: return object_bit;
  }
  return 0;
}

}  // namespace

struct quick_schema::node {
  struct member {
    std::string name;
    std::unique_ptr<node> what;
    bool required = false;
  };

  bool knows = true;  // false: accepts nothing
  unsigned types = any_bit;
  range length, items_count, members_count;
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::optional<plain_pattern> pattern;
  std::vector<std::string> words;  // empty: any
  std::unique_ptr<node> items;     // null: any
  std::vector<member> members;
  std::size_t required = 0;
  std::vector<std::vector<std::string>> choices;  // of members, one of which is there as a whole
  bool closed = false;                            // takes no members but these

  static node of(const json::value& schema) {
    node out;
    const auto* s = schema.if_object();
    out.knows = s != nullptr;
    if (s)
      for (const auto& keyword : *s)
        out.take({keyword.key().data(), keyword.key().size()}, keyword.value());
    if (s && out.knows) out.mark_required(*s);
    return out;
  }

  void take(std::string_view name, const json::value& what) {
    if (name == "$schema" || name == "title" || name == "description" || name == "required") return;
    if (name == "type") return take_types(what);
    if (name == "minLength") return take_count(what, length.least);
    if (name == "maxLength") return take_count(what, length.most);
    if (name == "minItems") return take_count(what, items_count.least);
    if (name == "maxItems") return take_count(what, items_count.most);
    if (name == "minProperties") return take_count(what, members_count.least);
    if (name == "maxProperties") return take_count(what, members_count.most);
    if (name == "minimum") return take_bound(what, minimum);
    if (name == "maximum") return take_bound(what, maximum);
    if (name == "pattern") return take_pattern(what);
    if (name == "enum") return take_words(what);
    if (name == "items") {
      items = std::make_unique<node>(of(what));
    } else if (name == "properties" && what.is_object()) {
      for (const auto& one : what.get_object())
        members.push_back({std::string(one.key()), std::make_unique<node>(of(one.value())), false});
    } else if (name == "oneOf") {
      take_choices(what);
    } else if (name == "additionalProperties" && what.is_bool()) {
      closed = !what.get_bool();
    } else if (const auto* then = what.if_object();
               name == "then" && then && then->size() == 1 && then->contains("pattern")) {
      take_pattern(then->at("pattern"));  // wanted whatever the `if` says
    } else if (name != "if") {
      knows = false;
    }
  }

  void take_types(const json::value& what) {
    types = 0;
    if (const auto* one = what.if_string()) types = type_named(view(*one));
    if (const auto* several = what.if_array())
      for (const auto& name : *several)
        if (const auto* text = name.if_string()) types |= type_named(view(*text));
  }

  void take_count(const json::value& what, std::size_t& out) {
    const auto* n = what.if_int64();
    if (n && *n >= 0)
      out = static_cast<std::size_t>(*n);
    else
      knows = false;
  }

  void take_bound(const json::value& what, double& out) {
    if (!what.is_number())
      knows = false;
    else
      out = what.to_number<double>();
  }

  void take_pattern(const json::value& what) {
    if (const auto* text = what.if_string()) pattern = plain_pattern::of(view(*text));
    if (!pattern) knows = false;
  }

  void take_words(const json::value& what) {
    const auto* all = what.if_array();
    if (!all || all->empty()) knows = false;
    if (all)
      for (const auto& one : *all) {
        if (!one.is_string())
          knows = false;
        else
          words.emplace_back(one.get_string());
      }
  }

  // Of those that only say which members there are.
  void take_choices(const json::value& what) {
    const auto* all = what.if_array();
    if (!all) knows = false;
    if (all)
      for (const auto& one : *all) {
        const auto* choice = one.if_object();
        const auto* names =
            choice && choice->size() == 1 ? choice->if_contains("required") : nullptr;
        if (!names || !names->is_array()) {
          knows = false;
          return;
        }
        auto& mine = choices.emplace_back();
        for (const auto& name : names->get_array()) {
          if (!name.is_string())
            knows = false;
          else
            mine.emplace_back(name.get_string());
        }
      }
  }

  void mark_required(const json::object& schema) {
    const auto* names = schema.if_contains("required");
    if (!names) return;
    if (!names->is_array()) {
      knows = false;
      return;
    }
    for (const auto& name : names->get_array()) {
      auto* found = name.is_string() ? find(view(name.get_string())) : nullptr;
      if (!found || found->required) {
        knows = false;
        return;
      }
      found->required = true;
      ++required;
    }
  }

  member* find(std::string_view name) {
    for (auto& one : members)
      if (one.name == name) return &one;
    return nullptr;
  }
  const member* find(std::string_view name) const { return const_cast<node*>(this)->find(name); }

  bool accepts(const json::value& v) const {
    const auto is = type_of(v);
    if (!knows || !(types & is)) return false;
    if (is == string_bit) return choices.empty() && accepts_text(view(v.get_string()));
    if (!words.empty()) return false;
    if (!choices.empty() && is != object_bit) return false;
    if (is == integer_bit || is == number_bit) return accepts_number(v.to_number<double>());
    if (is == array_bit) return accepts_items(v.get_array());
    return is != object_bit || accepts_members(v.get_object());
  }

  bool accepts_text(std::string_view text) const {
    // As many characters as bytes at most, and a quarter of them at least.
    if (text.size() > length.most || text.size() / 4 < length.least) {
      if (!length.has(length_of(text))) return false;
    }
    if (pattern && !pattern->matches(text)) return false;
    return words.empty() || std::find(words.begin(), words.end(), text) != words.end();
  }

  bool accepts_number(double n) const {
    const bool any = std::isinf(minimum) && std::isinf(maximum);
    return any || (std::abs(n) < exact_integers && n >= minimum && n <= maximum);
  }

  bool accepts_items(const json::array& all) const {
    if (!items_count.has(all.size())) return false;
    return !items || std::all_of(all.begin(), all.end(),
                                 [this](const json::value& v) { return items->accepts(v); });
  }

  bool has_one_choice(const json::object& all) const {
    if (choices.empty()) return true;
    return 1 == std::count_if(choices.begin(), choices.end(), [&all](const auto& names) {
             return std::all_of(names.begin(), names.end(),
                                [&all](const auto& name) { return all.contains(name); });
           });
  }

  bool accepts_members(const json::object& all) const {
    if (!members_count.has(all.size())) return false;
    std::size_t found_required = 0;
    for (const auto& one : all) {
      const auto* known = find({one.key().data(), one.key().size()});
      if (!known && closed) return false;
      if (!known) continue;
      if (!known->what->accepts(one.value())) return false;
      found_required += known->required ? 1 : 0;
    }
    return found_required == required && has_one_choice(all);
  }
};

quick_schema::quick_schema() = default;
quick_schema::quick_schema(const json::value& schema)
    : root_(std::make_unique<const node>(node::of(schema))) {}
quick_schema::~quick_schema() = default;
quick_schema::quick_schema(quick_schema&&) noexcept = default;
quick_schema& quick_schema::operator=(quick_schema&&) noexcept = default;

bool quick_schema::accepts(const json::value& body) const {
  return root_ && root_->accepts(body);
}

}  // namespace soma::http
