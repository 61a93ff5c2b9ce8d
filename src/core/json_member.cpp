#include "core/json_member.hpp"

#include <simdjson.h>

namespace soma {

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
