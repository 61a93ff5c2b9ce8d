#include "http/openai/model_messages.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "http/openai/model_ask.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;

const json::array* list_of(const json::object& o, std::string_view name) {
  const auto* value = o.if_contains(name);
  return value ? value->if_array() : nullptr;
}

error invalid(std::string detail) {
  return {codes::request_invalid, std::move(detail)};
}

template <class Number>
void take_number(const json::object& o, std::string_view name, std::optional<Number>& into) {
  const auto* value = o.if_contains(name);
  boost::system::error_code ec;
  if (!value || !value->is_number()) return;
  const auto number = value->to_number<Number>(ec);
  if (!ec) into = number;
}

void take_stop(const json::object& o, std::vector<std::string>& into) {
  const auto* value = o.if_contains("stop");
  if (!value) return;
  if (value->is_string()) into = {std::string(value->get_string())};
  if (!value->is_array()) return;
  into.clear();
  for (const auto& word : value->get_array())
    if (word.is_string()) into.emplace_back(word.get_string());
}

void take_parameters(const json::object& o, llm::profile& p) {
  take_number(o, "temperature", p.temperature);
  take_number(o, "top_p", p.top_p);
  take_number(o, "max_tokens", p.max_tokens);
  take_stop(o, p.stop);
  if (const auto effort = text_of(o, "reasoning_effort"); !effort.empty())
    p.reasoning_effort = effort;
}

}  // namespace

result<void> read_invoke_body(const json::object& body, llm::call& c) {
  for (const auto& value : body.at("messages").as_array()) {
    const auto& o = value.as_object();
    llm::chat_message m;
    m.role = text_of(o, "role");
    m.text = text_of(o, "content");
    m.provider_call_id = text_of(o, "tool_call_id");
    if (m.role == "tool" && m.provider_call_id.empty())
      return invalid("a message of role tool names its tool_call_id");
    if (const auto* calls = list_of(o, "tool_calls"))
      for (const auto& call : *calls)
        m.tool_calls.push_back({{},
                                text_of(call.as_object(), "id"),
                                text_of(call.as_object(), "name"),
                                json::serialize(call.as_object().at("inputs"))});
    c.messages.push_back(std::move(m));
  }
  if (const auto* tools = list_of(body, "tools"))
    for (const auto& tool : *tools)
      c.tools.push_back({text_of(tool.as_object(), "name"),
                         text_of(tool.as_object(), "description"),
                         json::serialize(tool.as_object().at("inputs"))});
  if (const auto* overrides = body.if_contains("overrides")) {
    take_parameters(overrides->as_object(), c.target);
    if (const auto model = text_of(overrides->as_object(), "model"); !model.empty())
      c.target.model = model;
  }
  return {};
}

void relay_chat_body(const json::object& body, llm::call& c) {
  json_writer w(c.raw_body);
  w.begin_object();
  for (const auto& member : body) {
    const std::string_view name(member.key().data(), member.key().size());
    if (name == "model" || name == "stream_options" || name == "base_url") continue;
    w.key(name).raw(json::serialize(member.value()));
    c.raw_members.emplace_back(name);
  }
  const auto* stream = body.if_contains("stream");
  // Usage is counted whether the caller wants to see it or not.
  if (stream && stream->is_bool() && stream->get_bool())
    w.key("stream_options").begin_object().field_bool("include_usage", true).end_object();
  w.end_object();
}

namespace {

bool names_thoughts(const json::value& list) {
  for (const auto& what : list.get_array())
    if (what == "reasoning.encrypted_content") return true;
  return false;
}

}  // namespace

result<void> relay_responses_body(const json::object& body, llm::call& c) {
  if (auto fine = check_stateless(body); !fine) return fine;
  const auto* input = body.if_contains("input");
  if (const auto* items = input ? input->if_array() : nullptr)
    for (std::size_t i = 0; i < items->size(); ++i)
      if (const auto* o = (*items)[i].if_object(); o && text_of(*o, "type") == "item_reference")
        return ask_unsupported("input[" + std::to_string(i) + "]", item_reference_words);
  json_writer w(c.raw_body);
  w.begin_object();
  const auto add = [&](std::string_view name, std::string_view value) {
    w.key(name).raw(value);
    c.raw_members.emplace_back(name);
  };
  json::array include;
  for (const auto& member : body) {
    const std::string_view name(member.key().data(), member.key().size());
    if (name == "model" || name == "base_url" || name == "store") continue;
    if (name == "include" && member.value().is_array()) {
      include = member.value().get_array();
      continue;
    }
    add(name, json::serialize(member.value()));
  }
  // Nothing is stored, so a model's thoughts can only come back with the caller.
  add("store", "false");
  if (!names_thoughts(include)) include.emplace_back("reasoning.encrypted_content");
  add("include", json::serialize(include));
  w.end_object();
  return {};
}

}  // namespace soma::http
