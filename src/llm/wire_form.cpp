#include "llm/wire_form.hpp"

#include <algorithm>
#include <initializer_list>

#include "llm/provider_limits.hpp"

namespace soma::llm {
namespace {

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool says_any(std::string_view text, std::initializer_list<std::string_view> wordings) {
  return std::any_of(wordings.begin(), wordings.end(),
                     [&](std::string_view w) { return text.find(w) != text.npos; });
}

// OpenAI, Azure and their like; FastAPI's validation (vLLM, LiteLLM); Groq, Mistral, Gemini.
bool refuses_a_member(std::string_view text) {
  return says_any(
      text, {"unsupported",           "not support",       "n't support",   "unrecognized",
             "unknown name",          "unknown parameter", "unknown field", "unexpected",
             "not permitted",         "extra_forbidden",   "extra inputs",  "not allowed",
             "additional properties", "deprecated",        "cannot both",   "only the default",
             "not available",         "invalid parameter", "incompatible",  "must be 1",
             "cannot be set"});
}

bool refuses_tools(std::string_view text) {
  return says_any(
      text, {"not support tools", "not support tool", "n't support tool", "not support function",
             "tool use is not supported", "tools are not supported", "tool calling is not",
             "support tool use", "tool choice requires", "enable-auto-tool-choice",
             "tools param requires", "function calling is not"});
}

bool refuses_system(std::string_view text) {
  return says_any(
      text, {"system role not supported", "system role is not supported",
             "system messages are not supported", "system message is not supported",
             "not support system", "n't support system", "developer instruction is not enabled"});
}

bool gives_reasoning_back(const call& c) {
  return std::any_of(c.messages.begin(), c.messages.end(), [](const chat_message& m) {
    return m.provider_state_json.find("\"chat_") != std::string::npos;
  });
}

}  // namespace

std::optional<wire_form> form_after(unsigned status, std::string_view body, const call& asked) {
  // llama.cpp and LiteLLM answer some of these with a 500, OpenRouter with a 404.
  if (status != 400 && status != 404 && status != 422 && status != 500) return std::nullopt;
  if (asked.purpose != purpose::answer) return std::nullopt;
  const auto text = lower_case(body);
  const bool raw = !asked.raw_body.empty();
  const auto& p = asked.target;
  auto form = asked.form;
  if (!raw && refuses_tools(text)) {
    form.no_tools = form.no_tools || !asked.tools.empty();
  } else if (!raw && refuses_system(text)) {
    form.no_system = true;
  } else if (refuses_a_member(text)) {
    if (says_any(text, {"stream_options"})) {
      form.no_stream_options = true;
    } else if (p.max_tokens && says_any(text, {"max_tokens"}) && p.wire == wire_kind::openai_chat) {
      form.completion_tokens = true;
    } else if (p.top_p && says_any(text, {"top_p"})) {
      form.no_top_p = true;
    } else if (p.temperature && says_any(text, {"temperature"})) {
      form.no_temperature = true;
    } else if (!raw && !asked.may_call_tools && says_any(text, {"tool_choice"})) {
      form.no_tool_choice = true;
    } else if (!raw && p.wire == wire_kind::openai_responses &&
               says_any(text, {"include", "encrypted"})) {
      form.no_include = true;
    } else if (!raw && gives_reasoning_back(asked) && says_any(text, {"reasoning"})) {
      form.no_reasoning = true;
    }
  }
  if (form == asked.form) return std::nullopt;
  return form;
}

wire_form wire_forms::of(std::string_view key, std::int64_t now_ms) const {
  std::lock_guard lock(mutex_);
  const auto at = forms_.find(key);
  return at == forms_.end() || at->second.until_ms < now_ms ? wire_form{} : at->second.form;
}

void wire_forms::learn(std::string_view key, const wire_form& form, std::int64_t now_ms) {
  std::lock_guard lock(mutex_);
  if (forms_.size() >= limits::forms_kept_max && !forms_.contains(key)) forms_.clear();
  forms_[std::string(key)] = {form, now_ms + limits::form_kept_ms};
}

}  // namespace soma::llm
