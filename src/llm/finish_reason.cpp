#include "llm/finish_reason.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace soma::llm {
namespace {

// Mistral says model_length, Anthropic model_context_window_exceeded, Gemini MAX_TOKENS.
constexpr std::array<std::string_view, 7> of_length{
    "length",         "max_tokens",   "max_output_tokens",
    "max_length",     "model_length", "model_context_window_exceeded",
    "max_new_tokens",
};
// Gemini's reasons beside those of OpenAI and Anthropic; Zhipu says sensitive.
constexpr std::array<std::string_view, 12> of_filters{
    "content_filter", "refusal",   "safety",   "recitation",         "blocklist",    "spii",
    "sensitive",      "moderated", "language", "prohibited_content", "image_safety", "guardrail",
};
constexpr std::array<std::string_view, 15> of_failures{
    "error",
    "failed",
    "network_error",
    "malformed_function_call",
    "unexpected_tool_call",
    "too_many_tool_calls",
    "malformed_response",
    "missing_thought_signature",
    "insufficient_system_resource",  // DeepSeek
    "abort",                         // vLLM, SGLang
    "aborted",
    "cancelled",
    "canceled",
    "timeout",
    "server_error",
};

}  // namespace

ending meaning_of(std::string_view finish_reason) {
  std::string word(finish_reason);
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const auto is_of = [&](const auto& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  if (is_of(of_length)) return ending::length;
  if (is_of(of_filters)) return ending::filtered;
  if (is_of(of_failures)) return ending::failed;
  return ending::complete;
}

}  // namespace soma::llm
