#include "core/config.hpp"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <optional>
#include <set>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "core/json_writer.hpp"
#include "core/utf8.hpp"

namespace soma {
namespace embedded {
extern const std::string_view config_schema;
}
namespace {

enum class kind { integer, real, flag, text, list, secret };

struct rule {
  kind type = kind::text;
  std::string env;
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices;
  bool unique = false;
  std::size_t item_length_min = 0;
  boost::json::value initial;
};

using rules = std::map<std::string, rule, std::less<>>;

kind kind_of(const boost::json::object& key) {
  const auto& name = key.at("type").as_string();
  if (key.contains("x-secret")) return kind::secret;
  if (name == "integer") return kind::integer;
  if (name == "number") return kind::real;
  if (name == "boolean") return kind::flag;
  if (name == "array") return kind::list;
  return kind::text;
}

rule rule_of(const boost::json::object& key) {
  rule r;
  r.type = kind_of(key);
  if (const auto* name = key.if_contains("x-env")) r.env = name->as_string().c_str();
  if (const auto* low = key.if_contains("minimum")) r.minimum = low->to_number<double>();
  if (const auto* high = key.if_contains("maximum")) r.maximum = high->to_number<double>();
  const auto* items = key.if_contains("items");
  const auto& holder = items ? items->as_object() : key;
  if (const auto* choices = holder.if_contains("enum"))
    for (const auto& choice : choices->as_array())
      r.choices.emplace_back(choice.as_string().c_str());
  if (const auto* unique = key.if_contains("uniqueItems")) r.unique = unique->as_bool();
  if (const auto* length = holder.if_contains("minLength"))
    r.item_length_min = length->to_number<std::size_t>();
  r.initial = key.at("default");
  return r;
}

// The schema is part of the program: a malformed one throws here and is a bug.
const rules& schema() {
  static const rules all = [] {
    rules made;
    const auto document = boost::json::parse(
        boost::json::string_view(embedded::config_schema.data(), embedded::config_schema.size()));
    for (const auto& section : document.at("properties").as_object())
      for (const auto& key : section.value().at("properties").as_object())
        made.emplace(std::string(section.key()) + "." + std::string(key.key()),
                     rule_of(key.value().as_object()));
    return made;
  }();
  return all;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t corner = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, corner + (a[i - 1] == b[j - 1] ? 0 : 1)});
      corner = above;
    }
  }
  return row[b.size()];
}

// " did you mean …?", where one of the names is near.
template <class Names>
std::string suggestion(std::string_view word, const Names& names) {
  std::size_t best = 4;  // more edits than three is another word
  std::string_view nearest;
  for (const std::string_view name : names)
    if (const auto d = edit_distance(word.substr(0, 100), name); d < best) best = d, nearest = name;
  return nearest.empty() ? std::string() : "; did you mean " + std::string(nearest) + "?";
}

std::string unknown_key(std::string_view key) {
  std::vector<std::string_view> names;
  for (const auto& [name, r] : schema()) names.emplace_back(name);
  return "unknown key " + std::string(key.substr(0, 100)) + suggestion(key, names);
}

// Variables that begin as ours do and are none of them.
std::vector<std::string> unknown_variables(const std::map<std::string, std::string>& env) {
  std::set<std::string, std::less<>> ours;
  for (const auto& [name, r] : schema())
    if (!r.env.empty()) ours.insert(r.env);
  std::vector<std::string> said;
  for (const auto& [name, value] : env)
    if ((name.starts_with("SOMA_") || name.starts_with("GATEWAY_")) && !ours.contains(name))
      said.push_back("the variable " + name.substr(0, 100) + " is not one of the configuration's" +
                     suggestion(name, ours));
  return said;
}

std::string show(double number) {
  char text[32];
  const auto [end, ec] = std::to_chars(text, text + sizeof text, number);
  return std::string(text, end);
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    auto item = text.substr(0, comma);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (!item.empty()) items.emplace_back(item);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// TOML's basic string: JSON's escapes are a subset of its own, apart from DEL, which it forbids.
std::string quoted_text(std::string_view text) {
  std::string escaped, out = "\"";
  append_json_escaped(escaped, text);
  for (const char c : escaped) c == '\x7f' ? out += "\\u007F" : out += c;
  return out + '"';
}

// A secret's text is in none of it.
struct toml_printer {
  std::string operator()(std::int64_t n) const { return std::to_string(n); }
  std::string operator()(double n) const {
    const auto text = show(n);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
  }
  std::string operator()(bool b) const { return b ? "true" : "false"; }
  std::string operator()(const std::string& s) const { return quoted_text(s); }
  std::string operator()(const kept_secret& s) const {
    return s.now().empty() ? "\"\"" : "\"***\"";
  }
  std::string operator()(const std::vector<std::string>& items) const {
    std::vector<std::string> parts;
    for (const auto& item : items) parts.push_back(quoted_text(item));
    return "[" + join(parts) + "]";
  }
};

}  // namespace

class config_loader {
 public:
  result<config> load(const config_sources& from) {
    for (const auto& [key, r] : schema()) made_.entries_[key] = {initial(r), "default"};
    if (!from.file.empty()) take_file(from.file);
    for (const auto& [key, r] : schema())
      if (const auto it = from.env.find(r.env); !r.env.empty() && it != from.env.end())
        if (!it->second.empty()) take_text(key, it->second, "env " + r.env);
    for (const auto& [key, value] : from.flags) take_text(key, value, "flag");
    if (!why_.empty()) return error(codes::config_invalid, why_);
    made_.warnings_ = unknown_variables(from.env);
    made_.read_secret_ = from.read_secret;
    // Those that say how the others are read come first.
    for (const bool of_vault : {true, false})
      for (auto& [key, e] : made_.entries_)
        if (key.starts_with("vault.") == of_vault) read_reference(key, e);
    if (!why_.empty()) return error(codes::config_invalid, why_);
    return std::move(made_);
  }

 private:
  using value = config::value;

  static value initial(const rule& r) {
    switch (r.type) {
      case kind::integer: return r.initial.to_number<std::int64_t>();
      case kind::real: return r.initial.to_number<double>();
      case kind::flag: return r.initial.as_bool();
      case kind::text: return std::string(r.initial.as_string().c_str());
      case kind::secret: return kept_secret(secret_string(r.initial.as_string().c_str()));
      case kind::list: break;
    }
    std::vector<std::string> items;
    for (const auto& item : r.initial.as_array()) items.emplace_back(item.as_string().c_str());
    return items;
  }

  void read_reference(const std::string& key, config::entry& e) {
    const auto* kept = std::get_if<kept_secret>(&e.what);
    if (!kept || !is_secret_reference(kept->now().reveal())) return;
    e.reference = kept->now().reveal();
    if (!made_.read_secret_) return fail(e.source, key + ": nothing here reads " + e.reference);
    auto found = made_.read_secret_(e.reference, made_);
    if (!found) return fail(e.source, key + ": " + found.error().detail);
    kept->replace(std::move(*found));
  }

  // The first failure is the one reported.
  void fail(const std::string& where, const std::string& why) {
    if (why_.empty()) why_ = where + ": " + why;
  }

  void take_file(const std::string& path) {
    auto text = text_of_file(path, config_bytes_max);
    if (!text) {
      if (why_.empty()) why_ = text.error().detail;
      return;
    }
    auto parsed = toml::parse(*text, path);
    if (!parsed) {
      const auto& bad = parsed.error();
      return fail(place(path, bad.source()), std::string(bad.description()));
    }
    const toml::table table = std::move(parsed).table();
    for (const auto& [section, node] : table) {
      const std::string name(section.str());
      const auto* keys = node.as_table();
      if (!keys || !is_section(name)) {
        fail(place(path, section.source()), unknown_key(name));
        continue;
      }
      for (const auto& [key, item] : *keys)
        take_node(name + "." + std::string(key.str()), item, place(path, key.source()));
    }
  }

  static std::string place(const std::string& path, const toml::source_region& at) {
    return path + ":" + std::to_string(at.begin.line);
  }

  static bool is_section(const std::string& name) {
    const auto it = schema().lower_bound(name + ".");
    return it != schema().end() && it->first.compare(0, name.size() + 1, name + ".") == 0;
  }

  void take_node(const std::string& key, const toml::node& node, const std::string& where) {
    const auto it = schema().find(key);
    if (it == schema().end()) return fail(where, unknown_key(key));
    switch (it->second.type) {
      case kind::integer:
        if (const auto* n = node.as_integer()) return store(key, it->second, n->get(), where);
        return fail(where, key + " must be a whole number");
      case kind::real:
        if (const auto* n = node.as_integer())
          return store(key, it->second, static_cast<double>(n->get()), where);
        if (const auto* n = node.as_floating_point())
          return store(key, it->second, n->get(), where);
        return fail(where, key + " must be a number");
      case kind::flag:
        if (const auto* b = node.as_boolean()) return store(key, it->second, b->get(), where);
        return fail(where, key + " must be true or false");
      case kind::text:
        if (const auto* s = node.as_string()) return store(key, it->second, s->get(), where);
        return fail(where, key + " must be a string");
      case kind::secret:
        if (const auto* s = node.as_string())
          return store(key, it->second, kept_secret(secret_string(s->get())), where);
        return fail(where, key + " must be a string");
      case kind::list: return take_array(key, it->second, node, where);
    }
  }

  void take_array(const std::string& key, const rule& r, const toml::node& node,
                  const std::string& where) {
    const auto* array = node.as_array();
    if (!array) return fail(where, key + " must be an array of strings");
    std::vector<std::string> items;
    for (const auto& item : *array) {
      const auto* s = item.as_string();
      if (!s) return fail(where, key + " must be an array of strings");
      items.push_back(s->get());
    }
    store(key, r, std::move(items), where);
  }

  void take_text(const std::string& key, const std::string& text, const std::string& from) {
    const std::string where = from == "flag" ? "flag --" + key : from;
    const auto it = schema().find(key);
    if (it == schema().end()) return fail(where, unknown_key(key));
    const auto& r = it->second;
    if (!utf8_valid(text) || text.find('\0') != std::string::npos)
      return fail(where, key + " must be text in UTF-8");
    switch (r.type) {
      case kind::integer:
        if (const auto n = parse_number<std::int64_t>(text)) return store(key, r, *n, from);
        return fail(where, key + " must be a whole number");
      case kind::real:
        if (const auto n = parse_number<double>(text)) return store(key, r, *n, from);
        return fail(where, key + " must be a number");
      case kind::flag:
        if (text == "true" || text == "1") return store(key, r, true, from);
        if (text == "false" || text == "0") return store(key, r, false, from);
        return fail(where, key + " must be true or false");
      case kind::text: return store(key, r, text, from);
      case kind::secret: return store(key, r, kept_secret(secret_string(text)), from);
      case kind::list: return store(key, r, split(text), from);
    }
  }

  void store(const std::string& key, const rule& r, value v, const std::string& where) {
    const std::string why = refusal(r, v);
    if (!why.empty()) return fail(where == "flag" ? "flag --" + key : where, key + " " + why);
    made_.entries_[key] = {std::move(v), where};
  }

  static std::string refusal(const rule& r, const value& v) {
    std::optional<double> n;
    if (const auto* i = std::get_if<std::int64_t>(&v)) n = static_cast<double>(*i);
    if (const auto* d = std::get_if<double>(&v)) n = *d;
    if (n && !(*n >= r.minimum && *n <= r.maximum))
      return "must be from " + show(r.minimum) + " to " + show(r.maximum);
    if (const auto* s = std::get_if<std::string>(&v); s && !allowed(r, *s))
      return "must be one of " + join(r.choices);
    const auto* items = std::get_if<std::vector<std::string>>(&v);
    if (!items) return {};
    for (const auto& item : *items) {
      if (!allowed(r, item)) return "takes " + join(r.choices);
      if (item.size() < r.item_length_min) return "must not hold an empty item";
    }
    if (r.unique && std::set<std::string>(items->begin(), items->end()).size() != items->size())
      return "names an item twice";
    return {};
  }

  static bool allowed(const rule& r, const std::string& word) {
    return r.choices.empty() ||
           std::find(r.choices.begin(), r.choices.end(), word) != r.choices.end();
  }

  config made_;
  std::string why_;
};

result<config> load_config(const config_sources& sources) {
  return config_loader().load(sources);
}

const config::entry& config::at(std::string_view key) const {
  const auto it = entries_.find(key);
  if (it == entries_.end()) {
    std::fprintf(stderr, "config: no key %.*s\n", static_cast<int>(key.size()), key.data());
    std::abort();
  }
  return it->second;
}

template <class T>
const T& config::get(std::string_view key) const {
  const auto* value = std::get_if<T>(&at(key).what);
  if (!value) {
    std::fprintf(stderr, "config: %.*s is of another type\n", static_cast<int>(key.size()),
                 key.data());
    std::abort();
  }
  return *value;
}

std::int64_t config::number(std::string_view key) const {
  return get<std::int64_t>(key);
}
double config::real(std::string_view key) const {
  return get<double>(key);
}
const std::string& config::text(std::string_view key) const {
  return get<std::string>(key);
}
bool config::flag(std::string_view key) const {
  return get<bool>(key);
}
const secret_string& config::secret(std::string_view key) const {
  return get<kept_secret>(key).now();
}

bool is_secret_reference(std::string_view value) {
  return value.starts_with("env:") || value.starts_with("file:") || value.starts_with("vault:");
}

bool config::has_secret_references() const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const auto& one) { return !one.second.reference.empty(); });
}

config::secrets_read config::read_secrets_again(const std::function<bool()>& goes_on) const {
  secrets_read out;
  bool away = false;
  for (const auto& [key, e] : entries_) {
    if (e.reference.empty() || (away && e.reference.starts_with("vault:"))) continue;
    if (goes_on && !goes_on()) break;
    auto found = read_secret_(e.reference, *this);
    if (!found) {
      away = away || found.error().code == codes::dependency_unavailable;
      out.failed.push_back(key + ": " + found.error().detail);
      continue;
    }
    const auto& kept = std::get<kept_secret>(e.what);
    if (kept.now().reveal() == found->reveal()) continue;
    kept.replace(std::move(*found));
    out.changed.push_back(key);
  }
  return out;
}
const std::vector<std::string>& config::list(std::string_view key) const {
  return get<std::vector<std::string>>(key);
}

std::vector<std::pair<std::string, std::string>> config::sources() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& [key, e] : entries_) all.emplace_back(key, e.source);
  return all;
}

std::vector<std::pair<std::string, std::string>> config::changed() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [key, e] : entries_)
    if (e.source != "default") out.emplace_back(key, std::visit(toml_printer{}, e.what));
  return out;
}

std::string config::to_toml() const {
  std::string out, section;
  for (const auto& [key, e] : entries_) {
    const auto dot = key.find('.');
    if (key.substr(0, dot) != section) {
      section = key.substr(0, dot);
      out += (out.empty() ? "[" : "\n[") + section + "]\n";
    }
    out += key.substr(dot + 1) + " = " + std::visit(toml_printer{}, e.what);
    if (e.source != "default") out += "  # " + e.source;
    out += '\n';
  }
  return out;
}

}  // namespace soma
