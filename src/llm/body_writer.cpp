#include "llm/body_writer.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace soma::llm {

void extra_fields(json_writer& w, std::string_view object_json,
                  std::initializer_list<std::string_view> ours) {
  if (object_json.empty()) return;
  boost::system::error_code ec;
  const auto value = boost::json::parse({object_json.data(), object_json.size()}, ec);
  if (ec || !value.is_object()) return;
  for (const auto& member : value.get_object()) {
    const std::string_view name(member.key().data(), member.key().size());
    if (std::find(ours.begin(), ours.end(), name) != ours.end()) continue;
    w.key(name).raw(boost::json::serialize(member.value()));
  }
}

std::string system_text(const call& c) {
  std::string text;
  for (const auto& m : c.messages) {
    if (m.role != "system" && m.role != "developer") continue;
    if (!text.empty()) text += "\n\n";
    text += m.text;
  }
  return text;
}

}  // namespace soma::llm
