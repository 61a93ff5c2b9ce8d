// Reads the bodies of chat completions and of the completions of before them.
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/json_text.hpp"
#include "http/openai/model_ask.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;

std::string at(std::string_view list, std::size_t index, std::string_view member = {}) {
  std::string out(list);
  out.append("[").append(std::to_string(index)).append("]");
  if (!member.empty()) out.append(".").append(member);
  return out;
}

const json::object* object_in(const json::object& o, std::string_view name) {
  const auto* value = o.if_contains(name);
  return value ? value->if_object() : nullptr;
}

result<void> take_content(const json::object& message, const std::string& where, ask_message& m) {
  const auto* content = message.if_contains("content");
  if (!content || content->is_null()) return {};
  if (content->is_string()) {
    ask_part part;
    part.text = content->get_string();
    m.parts.push_back(std::move(part));
    return {};
  }
  const auto* parts = content->if_array();
  if (!parts) return ask_invalid(where + ".content", "must be text or an array of parts");
  for (std::size_t i = 0; i < parts->size(); ++i) {
    auto part = read_part((*parts)[i], m.role, at(where + ".content", i));
    if (!part) return part.error();
    m.parts.push_back(std::move(*part));
  }
  return {};
}

result<void> take_calls(const json::object& message, const std::string& where, ask_message& m) {
  const auto* value = message.if_contains("tool_calls");
  if (!value || value->is_null()) return {};
  const auto* calls = value->if_array();
  if (!calls) return ask_invalid(where + ".tool_calls", "must be an array");
  for (std::size_t i = 0; i < calls->size(); ++i) {
    const auto* o = (*calls)[i].if_object();
    const auto* function = o ? object_in(*o, "function") : nullptr;
    if (!function) return ask_invalid(at(where + ".tool_calls", i), "must have a function");
    auto inputs = text_of(*function, "arguments");
    boost::system::error_code ec;
    if (inputs.empty() || !parse_foreign_json(inputs, ec).is_object() || ec) inputs = "{}";
    m.calls.push_back({{}, text_of(*o, "id"), text_of(*function, "name"), std::move(inputs)});
  }
  return {};
}

result<ask_message> read_message(const json::value& value, const std::string& where) {
  const auto* o = value.if_object();
  if (!o) return ask_invalid(where, "must be an object");
  ask_message m;
  m.role = text_of(*o, "role");
  if (m.role == "developer") m.role = "system";
  if (m.role != "system" && m.role != "user" && m.role != "assistant" && m.role != "tool")
    return ask_invalid(where + ".role", "must be system, developer, user, assistant or tool");
  if (auto taken = take_content(*o, where, m); !taken) return taken.error();
  if (auto refusal = text_of(*o, "refusal"); !refusal.empty()) {
    ask_part part;
    part.is = ask_part::kind::refusal;
    part.text = std::move(refusal);
    m.parts.push_back(std::move(part));
  }
  m.call_id = text_of(*o, "tool_call_id");
  if (m.role == "tool" && m.call_id.empty())
    return ask_invalid(where + ".tool_call_id", "must name the call that this answers");
  if (m.role == "assistant")
    if (auto taken = take_calls(*o, where, m); !taken) return taken.error();
  return m;
}

result<void> take_tools(const json::value& value, model_ask& ask) {
  if (value.is_null()) return {};
  const auto* tools = value.if_array();
  if (!tools) return ask_invalid("tools", "must be an array");
  for (std::size_t i = 0; i < tools->size(); ++i) {
    const auto* o = (*tools)[i].if_object();
    const auto* f = o ? object_in(*o, "function") : nullptr;
    if (!f) {
      if (o && text_of(*o, "type") != "function" && !text_of(*o, "type").empty())
        return ask_unsupported(at("tools", i, "type"), "can be function alone for this model");
      return ask_invalid(at("tools", i), "must have a function");
    }
    const auto* parameters = f->if_contains("parameters");
    llm::tool_spec tool{text_of(*f, "name"), text_of(*f, "description"), {}};
    if (tool.tool_id.empty()) return ask_invalid(at("tools", i, "function.name"), "is missing");
    if (parameters && !parameters->is_null()) {
      if (!parameters->is_object())
        return ask_invalid(at("tools", i, "function.parameters"), "must be an object");
      tool.inputs_schema_json = json::serialize(*parameters);
    }
    auto strict = bool_member(*f, "strict", at("tools", i, "function.strict"));
    if (!strict) return strict.error();
    tool.strict = strict->value_or(false);
    ask.tools.push_back(std::move(tool));
  }
  return {};
}

result<void> take_choice(const json::value& value, model_ask& ask) {
  using kind = tool_choice::kind;
  if (value.is_null()) return {};
  const auto* o = value.if_object();
  const auto* f = o ? object_in(*o, "function") : nullptr;
  if (value == "auto")
    ask.choice.is = kind::automatic;
  else if (value == "none")
    ask.choice.is = kind::none;
  else if (value == "required")
    ask.choice.is = kind::required;
  else if (f && !text_of(*f, "name").empty())
    ask.choice = {kind::named, text_of(*f, "name")};
  else
    return ask_unsupported("tool_choice", "can be auto, none, required or a function");
  return {};
}

// What this reader and the route read by themselves.
bool is_read(std::string_view name) {
  for (const std::string_view known :
       {"model", "messages", "stream", "stream_options", "base_url", "tools", "tool_choice",
        "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop",
        "parallel_tool_calls", "response_format", "reasoning_effort", "verbosity", "prompt",
        "store"})
    if (name == known) return true;
  return false;
}

result<void> take_others(const json::object& body, model_ask& ask) {
  for (const auto& member : body) {
    const std::string_view name(member.key().data(), member.key().size());
    if (is_read(name)) continue;
    if (auto taken = take_other(name, member.value(), ask); !taken) return taken;
  }
  return {};
}

}  // namespace

result<model_ask> read_chat_ask(const json::object& body) {
  model_ask ask;
  const auto* value = body.if_contains("messages");
  const auto* messages = value ? value->if_array() : nullptr;
  if (!messages || messages->empty())
    return ask_invalid("messages", "must be an array of messages");
  for (std::size_t i = 0; i < messages->size(); ++i) {
    auto message = read_message((*messages)[i], at("messages", i));
    if (!message) return message.error();
    ask.messages.push_back(std::move(*message));
  }
  if (const auto* tools = body.if_contains("tools"))
    if (auto taken = take_tools(*tools, ask); !taken) return taken.error();
  if (const auto* choice = body.if_contains("tool_choice"))
    if (auto taken = take_choice(*choice, ask); !taken) return taken.error();
  if (const auto* format = body.if_contains("response_format")) {
    auto read = read_format(*format, "response_format");
    if (!read) return read.error();
    ask.format = std::move(*read);
  }
  if (auto taken = take_common(body, ask); !taken) return taken.error();
  for (auto [name, into] : {std::pair("reasoning_effort", &ask.reasoning_effort),
                            std::pair("verbosity", &ask.verbosity)}) {
    auto word = text_member(body, name, name);
    if (!word) return word.error();
    *into = std::move(*word);
  }
  if (auto taken = take_others(body, ask); !taken) return taken.error();
  return ask;
}

result<model_ask> read_completions_ask(const json::object& body) {
  model_ask ask;
  const auto* prompt = body.if_contains("prompt");
  const auto* list = prompt ? prompt->if_array() : nullptr;
  if (list && list->size() != 1)
    return ask_unsupported("prompt", "must be one text: each answer is a request of its own");
  const auto* text = list ? &list->front() : prompt;
  if (!text || !text->is_string())
    return list ? ask_unsupported("prompt", "must be text: tokens cannot be said to every provider")
                : ask_invalid("prompt", "must be text");
  ask_message m;
  m.role = "user";
  ask_part part;
  part.text = text->get_string();
  m.parts.push_back(std::move(part));
  ask.messages.push_back(std::move(m));
  for (const char* name : {"messages", "tools", "tool_choice", "response_format", "verbosity",
                           "parallel_tool_calls", "max_completion_tokens", "reasoning_effort"})
    if (body.contains(name)) return ask_unsupported(name, "is not one of completions");
  if (auto taken = take_common(body, ask); !taken) return taken.error();
  if (auto taken = take_others(body, ask); !taken) return taken.error();
  return ask;
}

}  // namespace soma::http
