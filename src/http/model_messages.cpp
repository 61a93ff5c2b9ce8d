#include "http/model_messages.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"

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

// Text, or the text of parts that are text; nothing else is understood by every provider.
result<std::string> content_of(const json::object& message) {
  const auto* content = message.if_contains("content");
  if (!content || content->is_null()) return std::string();
  if (content->is_string()) return std::string(content->get_string());
  if (!content->is_array()) return invalid("messages: content must be text or an array of parts");
  std::string text;
  for (const auto& part : content->get_array()) {
    const auto* object = part.if_object();
    if (!object || text_of(*object, "type") != "text")
      return invalid("messages: this provider takes parts of type text only");
    text += text_of(*object, "text");
  }
  return text;
}

result<void> take_chat_message(const json::value& value, std::vector<llm::chat_message>& into) {
  const auto* object = value.if_object();
  if (!object) return invalid("messages: each must be an object");
  llm::chat_message m;
  m.role = text_of(*object, "role");
  if (m.role == "developer") m.role = "system";
  if (m.role != "system" && m.role != "user" && m.role != "assistant" && m.role != "tool")
    return invalid("messages: the role must be system, developer, user, assistant or tool");
  auto text = content_of(*object);
  if (!text) return text.error();
  m.text = std::move(*text);
  m.provider_call_id = text_of(*object, "tool_call_id");
  if (const auto* calls = list_of(*object, "tool_calls"))
    for (const auto& call : *calls) {
      const auto* o = call.if_object();
      const auto* function = o ? o->if_contains("function") : nullptr;
      if (!function || !function->is_object())
        return invalid("messages: a tool call without function");
      auto inputs = text_of(function->get_object(), "arguments");
      boost::system::error_code ec;
      if (inputs.empty() || !json::parse(inputs, ec).is_object() || ec) inputs = "{}";
      m.tool_calls.push_back(
          {{}, text_of(*o, "id"), text_of(function->get_object(), "name"), std::move(inputs)});
    }
  into.push_back(std::move(m));
  return {};
}

// "auto", "none", "required" or {"type":"function","function":{"name":…}}, as Anthropic puts it.
std::string anthropic_choice(const json::value& choice) {
  if (choice == "auto") return R"({"type":"auto"})";
  if (choice == "none") return R"({"type":"none"})";
  if (choice == "required") return R"({"type":"any"})";
  const auto* object = choice.if_object();
  const auto* function = object ? object->if_contains("function") : nullptr;
  if (!function || !function->is_object()) return {};
  std::string out;
  json_writer w(out);
  w.begin_object().field("type", "tool").field("name", text_of(function->get_object(), "name"));
  w.end_object();
  return out;
}

std::string responses_choice(const json::value& choice) {
  if (choice.is_string()) return json::serialize(choice);
  const auto* object = choice.if_object();
  const auto* function = object ? object->if_contains("function") : nullptr;
  if (!function || !function->is_object()) return {};
  std::string out;
  json_writer w(out);
  w.begin_object().field("type", "function");
  w.field("name", text_of(function->get_object(), "name")).end_object();
  return out;
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

result<void> read_chat_body(const json::object& body, llm::call& c) {
  const auto* messages = list_of(body, "messages");
  if (!messages || messages->empty()) return invalid("messages: must be an array of messages");
  for (const auto& value : *messages)
    if (auto taken = take_chat_message(value, c.messages); !taken) return taken;
  if (const auto* tools = list_of(body, "tools"))
    for (const auto& tool : *tools) {
      const auto* o = tool.if_object();
      const auto* function = o ? o->if_contains("function") : nullptr;
      if (!function || !function->is_object()) return invalid("tools: each must have a function");
      const auto& f = function->get_object();
      const auto* parameters = f.if_contains("parameters");
      c.tools.push_back({text_of(f, "name"), text_of(f, "description"),
                         parameters ? json::serialize(*parameters) : std::string()});
    }
  if (const auto* choice = body.if_contains("tool_choice"))
    c.tool_choice_json = c.target.wire == llm::wire_kind::anthropic ? anthropic_choice(*choice)
                                                                    : responses_choice(*choice);
  take_parameters(body, c.target);
  take_number(body, "max_completion_tokens", c.target.max_tokens);
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

}  // namespace soma::http
