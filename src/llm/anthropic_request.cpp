// The body of an Anthropic Messages request.
#include <algorithm>
#include <vector>

#include "llm/body_writer.hpp"
#include "llm/history.hpp"
#include "llm/wire.hpp"
#include "llm/wire_form.hpp"

namespace soma::llm {
namespace {

// How much of an answer may be thinking, for the efforts that other providers name.
std::uint64_t thinking_budget(std::string_view effort) {
  if (effort == "low") return 1024;
  if (effort == "medium") return 4096;
  if (effort == "high") return 16384;
  return 0;
}

struct line {
  std::string_view role;
  std::string blocks;  // JSON objects, separated by commas
};

// Messages of one role in a row become one: the results of parallel calls must stand together.
std::string& blocks_of(std::vector<line>& lines, std::string_view role) {
  if (lines.empty() || lines.back().role != role) lines.push_back({role, {}});
  auto& blocks = lines.back().blocks;
  if (!blocks.empty()) blocks += ',';
  return blocks;
}

void add_text(std::vector<line>& lines, std::string_view role, std::string_view text) {
  if (text.empty()) return;  // empty blocks are refused
  json_writer w(blocks_of(lines, role));
  w.begin_object().field("type", "text").field("text", text).end_object();
}

// Before the text: so their makers advise.
void add_pictures(std::vector<line>& lines, const profile& target, const chat_message& m) {
  each_picture(target, m, [&](const picture& p, const std::string& bytes) {
    json_writer w(blocks_of(lines, "user"));
    w.begin_object().field("type", "image").key("source").begin_object().field("type", "base64");
    w.field("media_type", p.content_type).field("data", bytes).end_object().end_object();
  });
}

void add_calls(std::vector<line>& lines, const chat_message& m) {
  for (const auto& call : m.tool_calls) {
    json_writer w(blocks_of(lines, "assistant"));
    w.begin_object().field("type", "tool_use").field("id", call.provider_call_id);
    w.field("name", call.tool_id).key("input").raw(call.inputs_json).end_object();
  }
}

std::string thoughts_of(const chat_message& m) {
  return state_items(m.provider_state_json, {"thinking", "redacted_thinking"});
}

// A turn that called tools without thinking cannot go on with it.
bool may_think(const call& c, const std::vector<chat_message>& messages) {
  for (auto m = messages.rbegin(); m != messages.rend() && m->role != "user"; ++m)
    if (!m->tool_calls.empty() && thoughts_of(*m).empty()) return false;
  return c.prefix.empty();  // nor can a given beginning be continued by a model that thinks first
}

std::vector<line> lines_of(const call& c, const std::vector<chat_message>& messages,
                           bool thinking) {
  std::vector<line> lines;
  for (const auto& m : messages) {
    if (m.role == "system" || m.role == "developer") continue;
    if (m.role == "tool") {
      json_writer w(blocks_of(lines, "user"));
      w.begin_object().field("type", "tool_result").field("tool_use_id", m.provider_call_id);
      if (m.content_json.empty())
        w.field("content", m.text);
      else
        w.key("content").begin_array().raw(m.content_json).end_array();
      w.end_object();
      continue;
    }
    const std::string_view role = m.role == "assistant" ? "assistant" : "user";
    // Thoughts come first, and only where thinking is on are they taken back.
    if (thinking && !m.tool_calls.empty())
      if (const auto thoughts = thoughts_of(m); !thoughts.empty())
        blocks_of(lines, role) += thoughts;
    if (m.content_json.empty()) {
      add_pictures(lines, c.target, m);
      add_text(lines, role, m.text);
    } else {
      blocks_of(lines, role) += m.content_json;
    }
    add_calls(lines, m);
  }
  add_text(lines, "assistant", c.prefix);
  return lines;
}

void write_tools(json_writer& w, const std::vector<tool_spec>& tools) {
  w.key("tools").begin_array();
  for (const auto& tool : tools) {
    w.begin_object().field("name", tool.tool_id).field("description", tool.description);
    w.key("input_schema");
    w.raw(tool.inputs_schema_json.empty() ? empty_schema : tool.inputs_schema_json).end_object();
  }
  w.end_array();
}

}  // namespace

std::string anthropic_body(const call& c) {
  const auto& p = c.target;
  const auto messages = sendable(c);
  const auto tokens = *answer_tokens_of(c);
  auto budget = may_think(c, messages) ? thinking_budget(p.reasoning_effort) : 0;
  const auto most = c.form.answer_tokens_max > 0 ? c.form.answer_tokens_max : tokens + budget;
  if (budget >= most) budget = 0;
  std::string out;
  json_writer w(out);
  w.begin_object().field("model", p.model);
  w.field("max_tokens", std::min(tokens + budget, most));
  w.field_if("system", system_text(messages));
  w.key("messages").begin_array();
  for (const auto& l : lines_of(c, messages, budget > 0)) {
    w.begin_object().field("role", l.role).key("content").begin_array().raw(l.blocks);
    w.end_array().end_object();
  }
  w.end_array();
  if (!c.tools.empty() && !c.form.no_tools) write_tools(w, c.tools);
  write_tool_choice(w, c, R"({"type":"none"})");
  w.field_bool("stream", true);
  if (budget > 0) {
    w.key("thinking").begin_object().field("type", "enabled").field("budget_tokens", budget);
    w.end_object();
  } else {
    if (p.temperature && !c.form.no_temperature) w.key("temperature").real(*p.temperature);
    if (p.top_p && !c.form.no_top_p) w.key("top_p").real(*p.top_p);
  }
  if (!p.stop.empty()) {
    w.key("stop_sequences").begin_array();
    for (const auto& word : p.stop) w.string(word);
    w.end_array();
  }
  further_fields(w, c,
                 {"model", "max_tokens", "system", "messages", "tools", "tool_choice", "stream",
                  "thinking", "temperature", "top_p", "stop_sequences"});
  w.end_object();
  return out;
}

}  // namespace soma::llm
