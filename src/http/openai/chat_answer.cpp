#include "http/openai/chat_answer.hpp"

namespace soma::http {
namespace {

std::string framed(const std::string& data) {
  return "data: " + data + "\n\n";
}

void write_calls(json_writer& w, const std::vector<tool_invocation>& calls, bool numbered) {
  w.key("tool_calls").begin_array();
  std::uint64_t index = 0;
  for (const auto& call : calls) {
    w.begin_object();
    if (numbered) w.field("index", index++);
    w.field("id", call.provider_call_id).field("type", "function");
    w.key("function").begin_object().field("name", call.tool_id);
    w.field("arguments", call.inputs_json).end_object().end_object();
  }
  w.end_array();
}

void write_usage(json_writer& w, const soma::usage& used) {
  w.key("usage").begin_object().field("prompt_tokens", used.prompt_tokens);
  w.field("completion_tokens", used.completion_tokens);
  w.field("total_tokens", used.prompt_tokens + used.completion_tokens);
  w.key("prompt_tokens_details").begin_object();
  w.field("cached_tokens", used.cached_tokens).end_object();
  w.key("completion_tokens_details").begin_object();
  w.field("reasoning_tokens", used.reasoning_tokens).end_object().end_object();
}

}  // namespace

json_writer& chat_answer::head(json_writer& w, std::string_view kind) {
  return w.begin_object()
      .field("id", asked_.id)
      .field("object", asked_.legacy ? std::string_view("text_completion") : kind)
      .field("created", asked_.created_s)
      .field("model", asked_.model)
      .key("system_fingerprint")
      .null();
}

template <class Delta>
std::string chat_answer::chunk(Delta delta, std::string_view reason) {
  std::string data;
  json_writer w(data);
  head(w, "chat.completion.chunk").key("choices").begin_array().begin_object();
  w.field("index", std::uint64_t{0});
  if (!asked_.legacy) w.key("delta").begin_object();
  delta(w);
  if (!asked_.legacy) w.end_object();
  w.key("logprobs").null().key("finish_reason");
  if (reason.empty())
    w.null();
  else
    w.string(reason);
  w.end_object().end_array();
  if (asked_.wants_usage) w.key("usage").null();
  w.end_object();
  return framed(data);
}

// Clients that put an answer together take its role from the first delta.
std::string chat_answer::begin() {
  if (begun_ || asked_.legacy) return {};
  begun_ = true;
  return chunk([](json_writer& w) {
    w.field("role", "assistant").field("content", "").key("refusal").null();
  });
}

std::string chat_answer::piece(std::string_view text, bool thinking) {
  if (asked_.legacy && thinking) return {};
  auto out = begin();
  return out += chunk([&](json_writer& w) {
           w.field(asked_.legacy ? "text" : thinking ? "reasoning_content" : "content", text);
         });
}

std::string chat_answer::end(const llm::stream_end& how) {
  std::string out = begin();
  if (!how.tool_calls.empty() && !asked_.legacy)
    out += chunk([&](json_writer& w) { write_calls(w, how.tool_calls, true); });
  out += chunk(
      [&](json_writer& w) {
        if (asked_.legacy) w.field("text", "");
      },
      how.finish_reason);
  if (asked_.wants_usage) {
    std::string data;
    json_writer w(data);
    head(w, "chat.completion.chunk").key("choices").begin_array().end_array();
    write_usage(w, how.usage);
    w.end_object();
    out += framed(data);
  }
  return out + "data: [DONE]\n\n";
}

std::string chat_answer::whole(std::string_view text, std::string_view thinking,
                               const llm::stream_end& how) {
  std::string data;
  json_writer w(data);
  head(w, "chat.completion").key("choices").begin_array().begin_object();
  w.field("index", std::uint64_t{0});
  if (asked_.legacy) {
    w.field("text", text);
  } else {
    w.key("message").begin_object().field("role", "assistant");
    if (text.empty() && !how.tool_calls.empty())
      w.key("content").null();
    else
      w.field("content", text);
    w.key("refusal").null();
    w.field_if("reasoning_content", thinking);
    if (!how.tool_calls.empty()) write_calls(w, how.tool_calls, false);
    w.end_object();
  }
  w.field("finish_reason", how.finish_reason).key("logprobs").null().end_object();
  w.end_array();
  write_usage(w, how.usage);
  w.end_object();
  return data;
}

}  // namespace soma::http
