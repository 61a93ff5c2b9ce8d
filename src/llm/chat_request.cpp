// The body of an OpenAI-compatible chat completions request.
#include <algorithm>
#include <boost/json.hpp>

#include "llm/answer_parser.hpp"
#include "llm/body_writer.hpp"
#include "llm/history.hpp"
#include "llm/wire.hpp"
#include "llm/wire_form.hpp"

namespace soma::llm {
namespace {

// What the provider wants back with an answer; see chat_stream.
class chat_state {
 public:
  explicit chat_state(std::string_view json) {
    boost::system::error_code ec;
    if (json.size() > 2) value_ = boost::json::parse({json.data(), json.size()}, ec);
  }

  void write_thinking(json_writer& w) const {
    each("chat_details", [&](const boost::json::object& item) {
      if (const auto* details = array_member(item, "reasoning_details"))
        w.key("reasoning_details").raw(boost::json::serialize(*details));
    });
    each("chat_reasoning", [&](const boost::json::object& item) {
      const bool content = string_member(item, "member") == "reasoning_content";
      w.field(content ? "reasoning_content" : "reasoning", string_member(item, "text"));
    });
  }
  void write_extra(json_writer& w, std::size_t n) const {
    each("chat_call", [&](const boost::json::object& item) {
      const auto* extra = object_member(item, "extra_content");
      if (extra && index_member(item, "n", -1) == static_cast<std::int64_t>(n))
        w.key("extra_content").raw(boost::json::serialize(*extra));
    });
  }

 private:
  template <class Use>
  void each(std::string_view type, Use use) const {
    const auto* items = value_.if_array();
    if (!items) return;
    for (const auto& value : *items)
      if (const auto* item = value.if_object(); item && string_member(*item, "type") == type)
        use(*item);
  }
  boost::json::value value_;
};

void write_calls(json_writer& w, const std::vector<tool_invocation>& calls,
                 const chat_state& state) {
  w.key("tool_calls").begin_array();
  for (std::size_t n = 0; n < calls.size(); ++n) {
    const auto& call = calls[n];
    w.begin_object().field("id", call.provider_call_id).field("type", "function");
    w.key("function").begin_object().field("name", call.tool_id);
    w.field("arguments", call.inputs_json).end_object();
    state.write_extra(w, n);
    w.end_object();
  }
  w.end_array();
}

void write_parts(json_writer& w, const profile& target, const chat_message& m) {
  w.key("content").begin_array();
  if (!m.text.empty()) w.begin_object().field("type", "text").field("text", m.text).end_object();
  each_picture(target, m, [&](const picture& p, const std::string& bytes) {
    w.begin_object().field("type", "image_url").key("image_url").begin_object();
    w.field("url", "data:" + p.content_type + ";base64," + bytes).end_object().end_object();
  });
  w.end_array();
}

void write_message(json_writer& w, const profile& target, const chat_message& m,
                   bool with_thinking) {
  w.begin_object().field("role", m.role);
  if (m.text.empty() && m.content_json.empty() && !m.tool_calls.empty()) {
    w.key("content").null();
  } else if (!m.content_json.empty()) {
    w.key("content").begin_array().raw(m.content_json).end_array();
  } else if (target.pictures && !m.pictures.empty()) {
    write_parts(w, target, m);
  } else {
    w.field("content", m.text);
  }
  if (!m.tool_calls.empty()) {
    const chat_state state(m.provider_state_json);
    if (with_thinking) state.write_thinking(w);
    write_calls(w, m.tool_calls, state);
  }
  if (m.role == "tool") w.field("tool_call_id", m.provider_call_id);
  w.end_object();
}

void write_tools(json_writer& w, const std::vector<tool_spec>& tools) {
  w.key("tools").begin_array();
  for (const auto& tool : tools) {
    w.begin_object().field("type", "function").key("function").begin_object();
    w.field("name", tool.tool_id).field("description", tool.description).key("parameters");
    w.raw(tool.inputs_schema_json.empty() ? empty_schema : tool.inputs_schema_json);
    if (tool.strict) w.field_bool("strict", true);
    w.end_object().end_object();
  }
  w.end_array();
}

bool says(const call& c, std::string_view member) {
  return std::find(c.raw_members.begin(), c.raw_members.end(), member) != c.raw_members.end();
}

void write_numbers(json_writer& w, const call& c, const std::vector<std::string>& given = {}) {
  const auto& p = c.target;
  const auto& form = c.form;
  const auto ours = [&](std::string_view name) {
    return std::find(given.begin(), given.end(), name) == given.end();
  };
  if (p.temperature && !form.no_temperature && ours("temperature"))
    w.key("temperature").real(*p.temperature);
  if (p.top_p && !form.no_top_p && ours("top_p")) w.key("top_p").real(*p.top_p);
  if (p.max_tokens && ours("max_tokens") && ours("max_completion_tokens"))
    w.field(form.completion_tokens ? "max_completion_tokens" : "max_tokens", *answer_tokens_of(c));
}

void write_stop(json_writer& w, const profile& p) {
  w.key("stop").begin_array();
  for (const auto& word : p.stop) w.string(word);
  w.end_array();
}

// A profile's parameters in the words of the Responses API, where the caller gave none.
void write_responses_defaults(json_writer& w, const call& c) {
  const auto& p = c.target;
  if (p.temperature && !says(c, "temperature")) w.key("temperature").real(*p.temperature);
  if (p.top_p && !says(c, "top_p")) w.key("top_p").real(*p.top_p);
  if (p.max_tokens && !says(c, "max_output_tokens"))
    w.field("max_output_tokens", *answer_tokens_of(c));
  if (!p.reasoning_effort.empty() && !says(c, "reasoning"))
    w.key("reasoning").begin_object().field("effort", p.reasoning_effort).end_object();
  std::vector<std::string_view> ours = {"model",   "input",        "stream",
                                        "store",   "background",   "previous_response_id",
                                        "include", "conversation", "prompt"};
  ours.insert(ours.end(), c.raw_members.begin(), c.raw_members.end());
  extra_fields(w, p.extra_json, ours);
}

}  // namespace

std::string relayed_body(const call& c) {
  std::string out;
  json_writer w(out);
  const auto& p = c.target;
  w.begin_object().field("model", p.model);
  if (c.raw_body.size() > 2) {
    out += ',';
    out.append(c.raw_body, 1, c.raw_body.size() - 2);
    // Ours, and last: the caller did not ask for it (relay_chat_body).
    constexpr std::string_view usage = R"(,"stream_options":{"include_usage":true})";
    if (c.form.no_stream_options && out.ends_with(usage)) out.resize(out.size() - usage.size());
  }
  if (c.purpose == purpose::answer && p.wire == wire_kind::openai_responses) {
    write_responses_defaults(w, c);
  } else if (c.purpose == purpose::answer) {
    write_numbers(w, c, c.raw_members);
    if (!p.stop.empty() && !says(c, "stop")) write_stop(w, p);
    if (!says(c, "reasoning_effort")) w.field_if("reasoning_effort", p.reasoning_effort);
    std::vector<std::string_view> ours = {"model", "messages", "stream", "stream_options", "n"};
    ours.insert(ours.end(), c.raw_members.begin(), c.raw_members.end());
    extra_fields(w, p.extra_json, ours);
  }
  w.end_object();
  return out;
}

std::string chat_body(const call& c) {
  std::string out;
  json_writer w(out);
  const auto& p = c.target;
  w.begin_object().field("model", p.model);
  w.key("messages").begin_array();
  const auto messages = sendable(c);
  const auto begin = since_user(messages);
  for (std::size_t n = 0; n < messages.size(); ++n)
    write_message(w, p, messages[n], n >= begin && !c.form.no_reasoning);
  if (!c.prefix.empty())
    w.begin_object().field("role", "assistant").field("content", c.prefix).end_object();
  w.end_array();
  if (!c.tools.empty() && !c.form.no_tools) write_tools(w, c.tools);
  write_tool_choice(w, c, R"("none")");
  w.field_bool("stream", true);
  if (!c.form.no_stream_options)
    w.key("stream_options").begin_object().field_bool("include_usage", true).end_object();
  write_numbers(w, c);
  if (!p.stop.empty()) write_stop(w, p);
  w.field_if("reasoning_effort", p.reasoning_effort);
  if (!c.prefix.empty())
    w.field_bool("continue_final_message", true).field_bool("add_generation_prompt", false);
  further_fields(w, c,
                 {"model", "messages", "tools", "tool_choice", "stream", "stream_options",
                  "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop",
                  "reasoning_effort", "continue_final_message", "add_generation_prompt", "n"});
  w.end_object();
  return out;
}

}  // namespace soma::llm
