#include "llm/request_body.hpp"

#include <array>
#include <charconv>

#include "core/json_writer.hpp"

namespace soma::llm {
namespace {

void write_calls(json_writer& w, const std::vector<tool_invocation>& calls) {
  w.key("tool_calls").begin_array();
  for (const auto& call : calls) {
    w.begin_object().field("id", call.provider_call_id).field("type", "function");
    w.key("function").begin_object().field("name", call.tool_id);
    w.field("arguments", call.inputs_json).end_object().end_object();
  }
  w.end_array();
}

void write_message(json_writer& w, const chat_message& m) {
  w.begin_object().field("role", m.role);
  if (m.text.empty() && !m.tool_calls.empty()) {
    w.key("content").null();
  } else {
    w.field("content", m.text);
  }
  if (!m.tool_calls.empty()) write_calls(w, m.tool_calls);
  if (m.role == "tool") w.field("tool_call_id", m.provider_call_id);
  w.end_object();
}

void write_tools(json_writer& w, const std::vector<tool_spec>& tools) {
  w.key("tools").begin_array();
  for (const auto& tool : tools) {
    w.begin_object().field("type", "function").key("function").begin_object();
    w.field("name", tool.tool_id).field("description", tool.description).key("parameters");
    w.raw(tool.inputs_schema_json.empty() ? R"({"type":"object","properties":{}})"
                                          : tool.inputs_schema_json);
    w.end_object().end_object();
  }
  w.end_array();
}

std::string number_text(double value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

}  // namespace

std::string make_request_body(const call& c) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("model", c.target.model);
  w.key("messages").begin_array();
  for (const auto& m : c.messages) write_message(w, m);
  if (!c.prefix.empty())
    w.begin_object().field("role", "assistant").field("content", c.prefix).end_object();
  w.end_array();
  if (!c.tools.empty()) write_tools(w, c.tools);
  w.field_bool("stream", true);
  w.key("stream_options").begin_object().field_bool("include_usage", true).end_object();
  if (c.target.temperature) w.key("temperature").raw(number_text(*c.target.temperature));
  if (c.target.max_tokens) w.field("max_tokens", std::uint64_t{*c.target.max_tokens});
  if (!c.prefix.empty())
    w.field_bool("continue_final_message", true).field_bool("add_generation_prompt", false);
  w.end_object();
  return out;
}

}  // namespace soma::llm
