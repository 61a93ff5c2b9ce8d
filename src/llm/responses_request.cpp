// The body of an OpenAI Responses request. Nothing is stored at the provider: what it wants back
// of its reasoning goes along, encrypted.
#include "llm/body_writer.hpp"
#include "llm/history.hpp"
#include "llm/wire.hpp"
#include "llm/wire_form.hpp"

namespace soma::llm {
namespace {

void write_parts(json_writer& w, const profile& target, const chat_message& m) {
  w.begin_object().field("type", "message").field("role", m.role).key("content").begin_array();
  if (!m.text.empty())
    w.begin_object().field("type", "input_text").field("text", m.text).end_object();
  each_picture(target, m, [&](const picture& p, const std::string& bytes) {
    w.begin_object().field("type", "input_image");
    w.field("image_url", "data:" + p.content_type + ";base64," + bytes).end_object();
  });
  w.end_array().end_object();
}

void write_message(json_writer& w, const profile& target, const chat_message& m) {
  if (m.role == "system" || m.role == "developer") return;
  if (m.role == "tool") {
    w.begin_object().field("type", "function_call_output").field("call_id", m.provider_call_id);
    if (m.content_json.empty())
      w.field("output", m.text);
    else
      w.key("output").begin_array().raw(m.content_json).end_array();
    w.end_object();
    return;
  }
  if (const auto items = state_items(m.provider_state_json, {"reasoning"}); !items.empty())
    w.raw(items);
  if (!m.content_json.empty())
    w.begin_object()
        .field("type", "message")
        .field("role", m.role)
        .key("content")
        .begin_array()
        .raw(m.content_json)
        .end_array()
        .end_object();
  else if (target.pictures && !m.pictures.empty())
    write_parts(w, target, m);
  else if (!m.text.empty())
    // Without its type llama.cpp does not know an item of the assistant.
    w.begin_object()
        .field("type", "message")
        .field("role", m.role)
        .field("content", m.text)
        .end_object();
  for (const auto& call : m.tool_calls) {
    w.begin_object().field("type", "function_call").field("call_id", call.provider_call_id);
    w.field("name", call.tool_id).field("arguments", call.inputs_json).end_object();
  }
}

void write_tools(json_writer& w, const std::vector<tool_spec>& tools) {
  w.key("tools").begin_array();
  for (const auto& tool : tools) {
    w.begin_object().field("type", "function").field("name", tool.tool_id);
    w.field("description", tool.description).key("parameters");
    w.raw(tool.inputs_schema_json.empty() ? empty_schema : tool.inputs_schema_json);
    w.field_bool("strict", tool.strict).end_object();
  }
  w.end_array();
}

}  // namespace

std::string responses_body(const call& c) {
  const auto& p = c.target;
  const auto messages = sendable(c);
  std::string out;
  json_writer w(out);
  w.begin_object().field("model", p.model).field_if("instructions", system_text(messages));
  w.key("input").begin_array();
  for (const auto& m : messages) write_message(w, p, m);
  w.end_array();
  if (!c.tools.empty() && !c.form.no_tools) write_tools(w, c.tools);
  write_tool_choice(w, c, R"("none")");
  w.field_bool("stream", true).field_bool("store", false);
  if (!c.form.no_include)
    w.key("include").begin_array().string("reasoning.encrypted_content").end_array();
  if (p.max_tokens) w.field("max_output_tokens", *answer_tokens_of(c));
  if (p.temperature && !c.form.no_temperature) w.key("temperature").real(*p.temperature);
  if (p.top_p && !c.form.no_top_p) w.key("top_p").real(*p.top_p);
  if (!p.reasoning_effort.empty())
    w.key("reasoning")
        .begin_object()
        .field("effort", p.reasoning_effort)
        .field("summary", "auto")
        .end_object();
  further_fields(w, c,
                 {"model", "instructions", "input", "tools", "tool_choice", "stream", "store",
                  "include", "max_output_tokens", "temperature", "top_p", "reasoning"});
  w.end_object();
  return out;
}

}  // namespace soma::llm
