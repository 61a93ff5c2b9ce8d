#include "core/json_member.hpp"

#include <simdjson.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/json_writer.hpp"

namespace soma {
namespace {

using simdjson::ondemand::json_type;
using simdjson::ondemand::value;

bool append_canonical(std::string& out, value v);

bool append_object(std::string& out, simdjson::ondemand::object object) {
  std::vector<std::pair<std::string, std::string>> members;
  for (auto field : object) {
    std::string_view name;
    value v;
    if (field.unescaped_key().get(name)) return false;
    auto& member = members.emplace_back(std::string(name), std::string());
    if (field.value().get(v) || !append_canonical(member.second, v)) return false;
  }
  std::sort(members.begin(), members.end());
  json_writer w(out);
  w.begin_object();
  for (const auto& [name, text] : members) {
    w.string(name);
    out += ':';
    out += text;
  }
  w.end_object();
  return true;
}

bool append_list(std::string& out, simdjson::ondemand::array list) {
  out += '[';
  bool first = true;
  for (auto item : list) {
    value v;
    if (!std::exchange(first, false)) out += ',';
    if (item.get(v) || !append_canonical(out, v)) return false;
  }
  out += ']';
  return true;
}

bool append_canonical(std::string& out, value v) {
  json_type type{};
  if (v.type().get(type)) return false;
  if (type == json_type::object) {
    simdjson::ondemand::object object;
    return !v.get_object().get(object) && append_object(out, object);
  }
  if (type == json_type::array) {
    simdjson::ondemand::array list;
    return !v.get_array().get(list) && append_list(out, list);
  }
  std::string_view text;
  if (type == json_type::string) {
    if (v.get_string().get(text)) return false;
    json_writer(out).string(text);
    return true;
  }
  text = v.raw_json_token();
  out += text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  return true;
}

}  // namespace

std::string canonical_json(std::string_view json) {
  // Not shared by thread: a value is walked while others are.
  simdjson::ondemand::parser parser;
  const simdjson::padded_string padded(json);
  simdjson::ondemand::document document;
  value whole;
  std::string out;
  if (parser.iterate(padded).get(document) || document.get_value().get(whole) ||
      !append_canonical(out, whole))
    return {};
  return out;
}

std::string json_member(std::string_view object_json, std::string_view name) {
  thread_local simdjson::ondemand::parser parser;
  const simdjson::padded_string padded(object_json);
  simdjson::ondemand::document document;
  simdjson::ondemand::object object;
  if (parser.iterate(padded).get(document) || document.get_object().get(object)) return {};
  std::string_view raw;
  for (auto field : object) {  // a search by name would not know one that is written with escapes
    std::string_view found;
    if (field.unescaped_key().get(found)) return {};
    if (found != name) continue;
    simdjson::ondemand::value member;
    if (field.value().get(member) || simdjson::to_json_string(member).get(raw)) return {};
    break;
  }
  if (raw.empty()) return {};
  std::string line(raw.size() + simdjson::SIMDJSON_PADDING, '\0');
  std::size_t size = 0;
  if (simdjson::minify(raw.data(), raw.size(), line.data(), size)) return {};
  line.resize(size);
  return line;
}

}  // namespace soma
