#include "rehearsal/conversation.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "rehearsal/script.hpp"

namespace soma::rehearsal {
namespace {

namespace json = boost::json;

error bad(std::string detail) {
  return error(codes::llm_bad_request, std::move(detail));
}

std::string text_of(const json::value& content) {
  if (const auto* text = content.if_string()) return std::string(*text);
  std::string out;
  if (const auto* parts = content.if_array())
    for (const auto& part : *parts)
      if (const auto* object = part.if_object())
        if (const auto* text = object->if_contains("text"); text && text->is_string())
          out += text->get_string();
  return out;
}

std::string string_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool true_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_bool() && value->get_bool();
}

const json::object* object_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? value->if_object() : nullptr;
}

result<message> read_message(const json::value& value) {
  const auto* object = value.if_object();
  if (!object) return bad("messages: every item must be an object");
  message out;
  out.role = string_member(*object, "role");
  if (out.role != "system" && out.role != "developer" && out.role != "user" &&
      out.role != "assistant" && out.role != "tool")
    return bad("messages: role must be system, developer, user, assistant or tool");
  if (const auto* content = object->if_contains("content")) out.text = text_of(*content);
  const auto* calls = object->if_contains("tool_calls");
  if (calls && calls->is_array())
    for (const auto& call : calls->get_array())
      if (const auto* item = call.if_object())
        if (const auto* function = object_member(*item, "function"))
          out.calls.push_back(
              {string_member(*function, "name"), string_member(*function, "arguments")});
  return out;
}

// Where a plain text goes: the first required input, else the first there is.
std::string first_input(const json::object& function) {
  const auto* parameters = object_member(function, "parameters");
  if (!parameters) return {};
  if (const auto* required = parameters->if_contains("required"); required && required->is_array())
    for (const auto& name : required->get_array())
      if (name.is_string()) return std::string(name.get_string());
  const auto* properties = object_member(*parameters, "properties");
  return properties && !properties->empty() ? std::string(properties->begin()->key())
                                            : std::string();
}

std::vector<offered_tool> read_tools(const json::object& request) {
  std::vector<offered_tool> out;
  const auto* tools = request.if_contains("tools");
  if (!tools || !tools->is_array() || string_member(request, "tool_choice") == "none") return out;
  for (const auto& tool : tools->get_array())
    if (const auto* object = tool.if_object())
      if (const auto* function = object_member(*object, "function"))
        out.push_back({string_member(*function, "name"), first_input(*function)});
  return out;
}

void mix(std::uint64_t& hash, std::string_view text) {
  hash = fingerprint("\xff", fingerprint(text, hash));  // a byte that no text has
}

std::uint64_t hash_of(const json::array& messages, std::size_t count) {
  auto hash = fingerprint_of_nothing;
  for (std::size_t i = 0; i < count; ++i) mix(hash, json::serialize(messages[i]));
  return hash;
}

// The last user message's script counts; directives of earlier ones are only removed.
result<void> take_scripts(conversation& out) {
  for (auto& m : out.messages) {
    if (m.role != "user") continue;
    auto how = take_script(m.text);
    if (!how) return how.error();
    out.how = std::move(*how);
  }
  return {};
}

}  // namespace

result<conversation> parse_conversation(std::string_view body) {
  boost::system::error_code ec;
  const auto document = json::parse(json::string_view(body.data(), body.size()), ec);
  const auto* request = ec ? nullptr : document.if_object();
  if (!request) return bad("the body is not a JSON object");
  const auto* messages = request->if_contains("messages");
  if (!messages || !messages->is_array() || messages->get_array().empty())
    return bad("messages: a non-empty array is needed");

  conversation out;
  for (const auto& item : messages->get_array()) {
    auto read = read_message(item);
    if (!read) return read.error();
    out.messages.push_back(std::move(*read));
  }
  if (true_member(*request, "continue_final_message")) {
    if (out.messages.back().role != "assistant")
      return bad("continue_final_message: the last message must be the assistant's");
    if (true_member(*request, "add_generation_prompt"))
      return bad("continue_final_message excludes add_generation_prompt");
    out.prefix = std::move(out.messages.back().text);
    out.messages.pop_back();
  }
  out.hash = hash_of(messages->get_array(), out.messages.size());
  if (auto taken = take_scripts(out); !taken) return taken.error();
  out.tools = read_tools(*request);
  out.model = string_member(*request, "model");
  out.stream = true_member(*request, "stream");
  if (const auto* options = object_member(*request, "stream_options"))
    out.include_usage = true_member(*options, "include_usage");
  return out;
}

}  // namespace soma::rehearsal
