#include "llm/body_writer.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace soma::llm {

void extra_fields(json_writer& w, std::string_view object_json,
                  const std::vector<std::string_view>& ours) {
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

void further_fields(json_writer& w, const call& c, std::vector<std::string_view> ours) {
  extra_fields(w, c.members_json, ours);
  if (c.target.extra_json.empty()) return;
  boost::json::value members;
  boost::system::error_code ec;
  if (!c.members_json.empty()) members = boost::json::parse(c.members_json, ec);
  if (const auto* object = members.if_object())
    for (const auto& member : *object) ours.emplace_back(member.key().data(), member.key().size());
  extra_fields(w, c.target.extra_json, ours);
}

std::string state_items(std::string_view state_json, const std::vector<std::string_view>& types) {
  std::string items;
  if (state_json.size() <= 2) return items;
  boost::system::error_code ec;
  const auto value = boost::json::parse({state_json.data(), state_json.size()}, ec);
  if (ec || !value.is_array()) return items;
  for (const auto& item : value.get_array()) {
    const auto* object = item.if_object();
    const auto* type = object ? object->if_contains("type") : nullptr;
    if (!type || !type->is_string()) continue;
    const std::string_view name(type->get_string().data(), type->get_string().size());
    if (std::find(types.begin(), types.end(), name) == types.end()) continue;
    if (!items.empty()) items += ',';
    items += boost::json::serialize(item);
  }
  return items;
}

void write_tool_choice(json_writer& w, const call& c, std::string_view none) {
  if (c.form.no_tools || c.form.no_tool_choice || c.tools.empty()) return;
  if (!c.may_call_tools)
    w.key("tool_choice").raw(none);
  else if (!c.tool_choice_json.empty())
    w.key("tool_choice").raw(c.tool_choice_json);
}

std::string system_text(const std::vector<chat_message>& messages) {
  std::string text;
  for (const auto& m : messages) {
    if (m.role != "system" && m.role != "developer") continue;
    if (!text.empty()) text += "\n\n";
    text += m.text;
  }
  return text;
}

}  // namespace soma::llm
