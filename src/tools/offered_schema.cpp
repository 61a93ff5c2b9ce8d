#include "tools/offered_schema.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <vector>

#include "core/json_bounds.hpp"
#include "core/json_text.hpp"

namespace soma::tools {
namespace {

namespace json = boost::json;

constexpr std::size_t pattern_bytes_max = 200;
constexpr std::string_view types[] = {"string", "number", "integer", "boolean",
                                      "object", "array",  "null"};
// As people write them who think of their programming language.
constexpr std::pair<std::string_view, std::string_view> type_aliases[] = {
    {"str", "string"},   {"text", "string"},   {"int", "integer"},  {"long", "integer"},
    {"float", "number"}, {"double", "number"}, {"bool", "boolean"}, {"dict", "object"},
    {"map", "object"},   {"list", "array"},    {"none", "null"}};

std::optional<std::string_view> type_named(const json::value& value) {
  if (!value.is_string()) return std::nullopt;
  std::string name(value.get_string());
  for (auto& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const auto known : types)
    if (name == known) return known;
  for (const auto& [alias, known] : type_aliases)
    if (name == alias) return known;
  return std::nullopt;
}

std::size_t values_of(const json::value& of) {
  std::size_t n = 1;
  if (const auto* list = of.if_array())
    for (const auto& one : *list) n += values_of(one);
  if (const auto* object = of.if_object())
    for (const auto& member : *object) n += values_of(member.value());
  return n;
}

class rewriter {
 public:
  explicit rewriter(const json::value& root) : root_(root) {}

  json::object schema(const json::value& from) {
    const auto* given = from.if_object();
    if (!given || depth_ >= offered_depth_max || full()) return {};
    ++depth_;
    ++values_;
    json::object out;
    if (const auto* ref = given->if_contains("$ref"); ref && ref->is_string())
      out = referred(std::string(ref->get_string()));
    take_type(*given, out);
    take_text(*given, out);
    take_numbers(*given, out);
    take_data(*given, out);
    take_object(*given, out);
    take_array(*given, out);
    for (const auto* name : {"anyOf", "oneOf", "allOf"}) take_alternatives(*given, name, out);
    complete(out);
    --depth_;
    return out;
  }

 private:
  const json::value* find(std::string pointer) const {
    if (pointer.empty() || pointer.front() != '#') return nullptr;
    pointer.erase(0, 1);
    for (auto at = pointer.find('%'); at != pointer.npos; at = pointer.find('%', at + 1)) {
      const auto digits = pointer.substr(at + 1, 2);
      if (digits.size() < 2 || digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos)
        return nullptr;
      pointer.replace(at, 3, 1, static_cast<char>(std::stoi(digits, nullptr, 16)));
    }
    boost::system::error_code ec;
    return root_.find_pointer({pointer.data(), pointer.size()}, ec);
  }

  // What refers to itself takes anything where it does so.
  json::object referred(const std::string& ref) {
    if (std::find(within_.begin(), within_.end(), ref) != within_.end()) return {};
    const auto* target = find(ref);
    if (!target) return {};
    within_.push_back(ref);
    auto out = schema(*target);
    within_.pop_back();
    return out;
  }

  static void take_type(const json::object& from, json::object& to) {
    const auto* given = from.if_contains("type");
    if (!given) return;
    if (const auto one = type_named(*given)) {
      to["type"] = *one;
    } else if (const auto* list = given->if_array()) {
      json::array kept;
      for (const auto& each : *list)
        if (const auto one = type_named(each))
          if (std::find(kept.begin(), kept.end(), json::value(*one)) == kept.end())
            kept.emplace_back(*one);
      if (kept.size() == 1) to["type"] = kept.front();
      if (kept.size() > 1) to["type"] = std::move(kept);
    }
  }

  // Once more for each reference to it.
  bool full() const { return values_ >= offered_values_max || bytes_ >= offered_bytes_max; }

  void take_text(const json::object& from, json::object& to) {
    for (const auto* name : {"title", "description", "format"})
      if (const auto* text = from.if_contains(name); text && text->is_string() && !full()) {
        to[name] = *text;
        bytes_ += text->get_string().size();
      }
    const auto pattern = text_of(from, "pattern");
    if (pattern.empty() || pattern.size() > pattern_bytes_max) return;
    auto told = text_of(to, "description");
    to["description"] = told + (told.empty() ? "" : " ") + "(must match " + pattern + ")";
  }

  static void take_numbers(const json::object& from, json::object& to) {
    for (const auto* name :
         {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
      if (const auto* n = from.if_contains(name); n && n->is_number()) to[name] = *n;
    for (const auto* name : {"minLength", "maxLength", "minItems", "maxItems"}) {
      const auto* n = from.if_contains(name);
      boost::system::error_code ec;
      const auto count = n && n->is_number() ? n->to_number<std::uint64_t>(ec) : 0;
      if (n && n->is_number() && !ec) to[name] = count;
    }
    // Of draft 4: a flag at the bound.
    const auto exclusive = [&](const char* flag, const char* bound) {
      const auto* f = from.if_contains(flag);
      if (!f || !f->is_bool() || !f->get_bool() || !to.contains(bound)) return;
      json::value at = to.at(bound);  // a new member moves the others
      to[flag] = std::move(at);
      to.erase(bound);
    };
    exclusive("exclusiveMinimum", "minimum");
    exclusive("exclusiveMaximum", "maximum");
  }

  void take_data(const json::object& from, json::object& to) {
    const auto keep = [&](const char* name, const json::value& value) {
      if (full()) return;
      values_ += values_of(value);
      bytes_ += json::serialize(value).size();
      to[name] = value;
    };
    if (const auto* list = from.if_contains("enum"); list && list->is_array())
      if (!list->get_array().empty()) keep("enum", *list);
    if (const auto* one = from.if_contains("const")) keep("enum", json::array{*one});
    if (const auto* one = from.if_contains("default")) keep("default", *one);
    if (const auto* list = from.if_contains("examples"); list && list->is_array())
      keep("examples", *list);
  }

  void take_object(const json::object& from, json::object& to) {
    const auto* given = from.if_contains("properties");
    if (given && given->is_object()) {
      json::object properties;
      for (const auto& [name, one] : given->get_object()) {
        if (full()) break;
        bytes_ += name.size();
        properties[name] = schema(one);
      }
      to["properties"] = std::move(properties);
    }
    take_required(from, to);
    if (const auto* more = from.if_contains("additionalProperties")) {
      if (more->is_bool()) to["additionalProperties"] = *more;
      if (more->is_object()) to["additionalProperties"] = schema(*more);
    }
    // Some of those not named are allowed, and which is more than a provider wants to know.
    if (from.contains("patternProperties")) to.erase("additionalProperties");
  }

  void take_required(const json::object& from, json::object& to) {
    const auto* list = from.if_contains("required");
    if (!list || !list->is_array()) return;
    json::array names;
    for (const auto& name : list->get_array())
      if (name.is_string() && std::find(names.begin(), names.end(), name) == names.end())
        names.push_back(name);
    if (names.empty() || full()) return;
    auto* properties = to["properties"].if_object();
    if (!properties) properties = &to["properties"].emplace_object();
    for (const auto& name : names)
      if (!properties->contains(name.get_string()))
        (*properties)[name.get_string()] = json::object();
    to["required"] = std::move(names);
  }

  void take_array(const json::object& from, json::object& to) {
    const auto* items = from.if_contains("items");
    const auto* tuple = from.if_contains("prefixItems");
    if (items && items->is_object())
      to["items"] = schema(*items);
    else if (items && items->is_array())
      tuple = items;
    if (to.contains("items") || !tuple || !tuple->is_array() || tuple->get_array().empty()) return;
    json::array each;
    for (const auto& one : tuple->get_array()) {
      if (full()) return;
      auto made = schema(one);
      if (std::find(each.begin(), each.end(), json::value(made)) == each.end())
        each.emplace_back(std::move(made));
    }
    if (each.size() == 1)
      to["items"] = std::move(each.front());
    else
      to["items"] = json::object{{"anyOf", std::move(each)}};
  }

  void take_alternatives(const json::object& from, const char* name, json::object& to) {
    const auto* list = from.if_contains(name);
    if (!list || !list->is_array() || list->get_array().empty()) return;
    json::array each;
    for (const auto& one : list->get_array()) {
      if (full()) return;  // fewer than all would take less
      each.emplace_back(schema(one));
    }
    to[name] = std::move(each);
  }

  // What providers miss where a schema leaves it to its reader.
  static void complete(json::object& out) {
    const bool alternatives =
        out.contains("anyOf") || out.contains("oneOf") || out.contains("allOf");
    if (!out.contains("type") && !alternatives) {
      if (out.contains("properties")) out["type"] = "object";
      if (out.contains("items")) out["type"] = "array";
    }
    const auto* type = out.if_contains("type");
    const auto is = [&](const char* wanted) {
      if (!type) return false;
      if (const auto* list = type->if_array())
        return std::find(list->begin(), list->end(), json::value(wanted)) != list->end();
      return *type == json::value(wanted);
    };
    if (is("array") && !out.contains("items")) out["items"] = json::object();
  }

  const json::value& root_;
  std::vector<std::string> within_;  // references that are being put in their place
  std::size_t depth_ = 0, values_ = 0, bytes_ = 0;
};

using name_list = std::vector<json::string>;

name_list required_of(const json::object& schema) {
  name_list out;
  if (const auto* list = schema.if_contains("required"))
    for (const auto& name : list->get_array()) out.push_back(name.get_string());
  return out;
}

void add_properties(json::object& to, const json::object& from) {
  const auto* more = from.if_contains("properties");
  if (!more) return;
  for (const auto& [name, one] : more->get_object())
    if (!to.contains(name)) to[name] = one;
}

// Every alternative's properties are the root's own; what one of several wants is wanted by none.
void fold_alternatives(json::object& root) {
  auto properties =
      root.contains("properties") ? root.at("properties").get_object() : json::object();
  auto required = required_of(root);
  for (const auto* name : {"allOf", "anyOf", "oneOf"}) {
    const auto* list = root.if_contains(name);
    if (!list) continue;
    std::optional<name_list> of_all;
    for (const auto& one : list->get_array()) {
      const auto& schema = one.get_object();
      add_properties(properties, schema);
      auto wanted = required_of(schema);
      if (std::string_view(name) == "allOf")
        required.insert(required.end(), wanted.begin(), wanted.end());
      else if (!of_all)
        of_all = std::move(wanted);
      else
        std::erase_if(*of_all, [&](const auto& known) {
          return std::find(wanted.begin(), wanted.end(), known) == wanted.end();
        });
    }
    if (of_all) required.insert(required.end(), of_all->begin(), of_all->end());
    // Each may have allowed what the others name.
    root.erase(name);
    root.erase("additionalProperties");
  }
  json::array names;
  for (const auto& name : required)
    if (std::find(names.begin(), names.end(), json::value(name)) == names.end())
      names.emplace_back(name);
  root["properties"] = std::move(properties);
  if (!names.empty()) root["required"] = std::move(names);
}

}  // namespace

std::string offered_schema(std::string_view schema_json) {
  json::parse_options options;
  options.max_depth = 64;
  boost::system::error_code ec;
  const auto given = parse_foreign_json(schema_json, ec, options);
  json::object made;
  if (!ec) made = rewriter(given).schema(given);
  fold_alternatives(made);
  for (const auto* name : {"enum", "items", "default", "format"}) made.erase(name);
  json::object root{{"type", "object"}};
  for (auto& [name, value] : made)
    if (name != "type") root[name] = std::move(value);
  return json::serialize(root);
}

}  // namespace soma::tools
