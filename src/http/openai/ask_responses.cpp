// Reads the body of the Responses API. Nothing is stored, so what names something stored is
// refused.
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

ask_part text_part(std::string text) {
  ask_part part;
  part.text = std::move(text);
  return part;
}

// Text, or parts.
result<void> take_content(const json::object& o, std::string_view member, const std::string& where,
                          ask_message& m) {
  const auto parameter = where + "." + std::string(member);
  const auto* content = o.if_contains(member);
  if (!content || content->is_null()) return {};
  if (content->is_string()) {
    m.parts.push_back(text_part(std::string(content->get_string())));
    return {};
  }
  const auto* parts = content->if_array();
  if (!parts) return ask_invalid(parameter, "must be text or an array of parts");
  for (std::size_t i = 0; i < parts->size(); ++i) {
    auto part = read_part((*parts)[i], m.role, at(parameter, i));
    if (!part) return part.error();
    m.parts.push_back(std::move(*part));
  }
  return {};
}

class input_reader {
 public:
  explicit input_reader(model_ask& ask) : ask_(ask) {}

  result<void> take(const json::value& value, const std::string& where) {
    const auto* o = value.if_object();
    if (!o) return ask_invalid(where, "must be an object");
    const auto type = text_of(*o, "type");
    if (type == "message" || (type.empty() && o->contains("role"))) return take_message(*o, where);
    if (type == "function_call") return take_call(*o, where);
    if (type == "function_call_output") return take_output(*o, where);
    if (type == "reasoning") return take_reasoning(*o);
    if (type == "item_reference") return ask_unsupported(where, item_reference_words);
    return ask_unsupported(where + ".type",
                           "is of a kind that this model cannot be given: " + type.substr(0, 40));
  }

 private:
  ask_message& assistant() {
    if (ask_.messages.empty() || ask_.messages.back().role != "assistant") {
      ask_.messages.emplace_back();
      ask_.messages.back().role = "assistant";
    }
    return ask_.messages.back();
  }

  result<void> take_message(const json::object& o, const std::string& where) {
    auto role = text_of(o, "role");
    if (role == "developer") role = "system";
    if (role != "system" && role != "user" && role != "assistant")
      return ask_invalid(where + ".role", "must be user, assistant, system or developer");
    // After its thoughts, and before its calls.
    const bool goes_on =
        role == "assistant" && assistant().parts.empty() && assistant().calls.empty();
    if (role != "assistant" || !goes_on) ask_.messages.emplace_back();
    auto& m = ask_.messages.back();
    m.role = std::move(role);
    return take_content(o, "content", where, m);
  }

  result<void> take_call(const json::object& o, const std::string& where) {
    auto id = text_of(o, "call_id");
    if (id.empty()) return ask_invalid(where + ".call_id", "must be a string");
    auto inputs = text_of(o, "arguments");
    boost::system::error_code ec;
    if (inputs.empty() || !parse_foreign_json(inputs, ec).is_object() || ec) inputs = "{}";
    assistant().calls.push_back({{}, std::move(id), text_of(o, "name"), std::move(inputs)});
    return {};
  }

  result<void> take_output(const json::object& o, const std::string& where) {
    ask_message m;
    m.role = "tool";
    m.call_id = text_of(o, "call_id");
    if (m.call_id.empty()) return ask_invalid(where + ".call_id", "must be a string");
    if (auto taken = take_content(o, "output", where, m); !taken) return taken;
    ask_.messages.push_back(std::move(m));
    return {};
  }

  // What was written by responses_answer for an Anthropic provider. Another's thoughts say nothing
  // to this one, which takes what is its own by its type.
  result<void> take_reasoning(const json::object& o) {
    const auto kept = text_of(o, "encrypted_content");
    boost::system::error_code ec;
    const auto value = kept.empty() ? json::value() : parse_foreign_json(kept, ec);
    const auto* items = ec ? nullptr : value.if_array();
    if (!items) return {};
    auto& state = assistant().state;
    for (const auto& item : *items) {
      if (!state.empty()) state += ',';
      state += json::serialize(item);
    }
    return {};
  }

  model_ask& ask_;
};

result<void> take_input(const json::object& body, model_ask& ask) {
  const auto* input = body.if_contains("input");
  if (input && input->is_string()) {
    ask.messages.emplace_back();
    ask.messages.back().role = "user";
    ask.messages.back().parts.push_back(text_part(std::string(input->get_string())));
    return {};
  }
  const auto* items = input ? input->if_array() : nullptr;
  if (!items || items->empty()) return ask_invalid("input", "must be text or an array of items");
  input_reader reader(ask);
  for (std::size_t i = 0; i < items->size(); ++i)
    if (auto taken = reader.take((*items)[i], at("input", i)); !taken) return taken;
  return {};
}

result<void> take_tools(const json::object& body, model_ask& ask) {
  const auto* value = body.if_contains("tools");
  if (!value || value->is_null()) return {};
  const auto* tools = value->if_array();
  if (!tools) return ask_invalid("tools", "must be an array");
  for (std::size_t i = 0; i < tools->size(); ++i) {
    const auto* o = (*tools)[i].if_object();
    if (!o) return ask_invalid(at("tools", i), "must be an object");
    if (const auto type = text_of(*o, "type"); type != "function")
      return ask_unsupported(at("tools", i, "type"),
                             "can be function alone for this model, not " + type.substr(0, 40));
    llm::tool_spec tool{text_of(*o, "name"), text_of(*o, "description"), {}};
    if (tool.tool_id.empty()) return ask_invalid(at("tools", i, "name"), "is missing");
    if (const auto* schema = o->if_contains("parameters"); schema && !schema->is_null()) {
      if (!schema->is_object())
        return ask_invalid(at("tools", i, "parameters"), "must be an object");
      tool.inputs_schema_json = json::serialize(*schema);
    }
    auto strict = bool_member(*o, "strict", at("tools", i, "strict"));
    if (!strict) return strict.error();
    tool.strict = strict->value_or(false);
    ask.tools.push_back(std::move(tool));
  }
  return {};
}

result<void> take_choice(const json::object& body, model_ask& ask) {
  using kind = tool_choice::kind;
  const auto* value = body.if_contains("tool_choice");
  if (!value || value->is_null()) return {};
  const auto* o = value->if_object();
  if (*value == "auto")
    ask.choice.is = kind::automatic;
  else if (*value == "none")
    ask.choice.is = kind::none;
  else if (*value == "required")
    ask.choice.is = kind::required;
  else if (o && text_of(*o, "type") == "function" && !text_of(*o, "name").empty())
    ask.choice = {kind::named, text_of(*o, "name")};
  else
    return ask_unsupported("tool_choice", "can be auto, none, required or a function");
  return {};
}

result<void> take_text(const json::object& body, model_ask& ask) {
  const auto* value = body.if_contains("text");
  if (!value || value->is_null()) return {};
  const auto* o = value->if_object();
  if (!o) return ask_invalid("text", "must be an object");
  if (const auto* format = o->if_contains("format")) {
    auto read = read_format(*format, "text.format");
    if (!read) return read.error();
    ask.format = std::move(*read);
  }
  auto verbosity = text_member(*o, "verbosity", "text.verbosity");
  if (!verbosity) return verbosity.error();
  // Medium is what there is without asking.
  if (*verbosity != "medium") ask.verbosity = std::move(*verbosity);
  return {};
}

result<void> take_reasoning(const json::object& body, model_ask& ask) {
  const auto* value = body.if_contains("reasoning");
  if (!value || value->is_null()) return {};
  const auto* o = value->if_object();
  if (!o) return ask_invalid("reasoning", "must be an object");
  auto effort = text_member(*o, "effort", "reasoning.effort");
  if (!effort) return effort.error();
  ask.reasoning_effort = std::move(*effort);
  return {};
}

// Of what may be included the thoughts alone are there; they always are.
result<void> check_include(const json::object& body) {
  const auto* value = body.if_contains("include");
  if (!value || value->is_null()) return {};
  const auto* list = value->if_array();
  if (!list) return ask_invalid("include", "must be an array");
  for (const auto& what : *list)
    if (what != "reasoning.encrypted_content")
      return ask_unsupported("include", "can be reasoning.encrypted_content alone for this model");
  return {};
}

bool is_read(std::string_view name) {
  for (const std::string_view known : {"model",
                                       "input",
                                       "instructions",
                                       "stream",
                                       "stream_options",
                                       "base_url",
                                       "tools",
                                       "tool_choice",
                                       "temperature",
                                       "top_p",
                                       "max_output_tokens",
                                       "parallel_tool_calls",
                                       "text",
                                       "reasoning",
                                       "include",
                                       "store",
                                       "metadata",
                                       "max_tool_calls",
                                       "background",
                                       "previous_response_id",
                                       "conversation",
                                       "prompt"})
    if (name == known) return true;
  return false;
}

}  // namespace

result<void> check_stateless(const json::object& body) {
  for (const char* name : {"previous_response_id", "conversation", "prompt"})
    if (const auto* value = body.if_contains(name); value && !value->is_null())
      return ask_unsupported(name,
                             "names something stored, and nothing is stored here: "
                             "send the conversation whole in 'input'");
  auto background = bool_member(body, "background", "background");
  if (!background) return background.error();
  if (background->value_or(false))
    return ask_unsupported("background", "would need an answer to be stored, and nothing is");
  return {};
}

result<model_ask> read_responses_ask(const json::object& body) {
  model_ask ask;
  if (auto fine = check_stateless(body); !fine) return fine.error();
  auto instructions = text_member(body, "instructions", "instructions");
  if (!instructions) return instructions.error();
  if (!instructions->empty()) {
    ask.messages.emplace_back();
    ask.messages.back().role = "system";
    ask.messages.back().parts.push_back(text_part(std::move(*instructions)));
  }
  for (auto* take : {take_input, take_tools, take_choice, take_text, take_reasoning, take_common})
    if (auto taken = take(body, ask); !taken) return taken.error();
  if (auto fine = check_include(body); !fine) return fine.error();
  for (const auto& member : body) {
    const std::string_view name(member.key().data(), member.key().size());
    if (is_read(name)) continue;
    if (auto taken = take_other(name, member.value(), ask); !taken) return taken.error();
  }
  return ask;
}

}  // namespace soma::http
