#include "llm/overflow.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace soma::llm {
namespace {

constexpr std::uint64_t window_min = 256, window_max = 100'000'000;

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

constexpr std::array<std::string_view, 41> wordings{
    // OpenAI, Azure, DeepSeek, OpenRouter, vLLM, SGLang, Fireworks
    "context_length_exceeded", "context length", "context window", "maximum context",
    "input tokens exceed", "maximum model length", "maximum input length",
    "max_tokens must be at least 1, got -",  // what the prompt leaves of the window
    // Anthropic, Bedrock, Cohere
    "prompt is too long", "prompt too long", "input is too long", "too many input tokens",
    "too many tokens", "exceed context limit", "request_too_large",
    // llama.cpp, llama-cpp-python, LM Studio
    "exceed_context_size", "context size", "context the overflows", "context overflow",
    "reached context", "context limit",
    "input is too large to process",  // one text of many, for its embeddings
    // Gemini, Vertex
    "input token count", "exceeds the maximum number of tokens", "maximum token count",
    // Groq, GitHub Models, Copilot, xAI
    "reduce the length of the messages", "request too large for", "request body too large",
    "tokens_limit_reached", "prompt token count", "maximum prompt length",
    // TGI, Together, Hugging Face
    "`max_new_tokens` must be", "must have less than", "inputs must be less",
    // Kimi, Zhipu, Qwen
    "exceeded model token limit", "model token limit", "more than max tokens allowed",
    "range of input length", "prompt exceeds max length", "maximum allowed input length",
    "string_above_max_length"};

// In front of the number …
constexpr std::array<std::string_view, 22> before{"maximum context length is",
                                                  "maximum context length of",
                                                  "maximum context length:",
                                                  "maximum context length (",
                                                  "context length of only",
                                                  "context length is only",
                                                  "context length of",
                                                  "context length (",
                                                  "context window of",
                                                  "context window is",
                                                  "available context size (",
                                                  "context size of",
                                                  "maximum prompt length is",
                                                  "maximum number of tokens allowed (",
                                                  "maximum model length of",
                                                  "maximum model length (",
                                                  "configured limit of",
                                                  "exceeds the limit of",
                                                  "token limit:",
                                                  "max size:",
                                                  "must be <=",
                                                  "input length should be [1,"};
// … and behind it.
constexpr std::array<std::string_view, 3> behind{" maximum context length", " maximum",
                                                 " context limit"};

// Digits, also in groups: 128,000.
std::uint64_t number_at(std::string_view text, std::size_t at) {
  constexpr std::size_t gap_max = 3;
  const auto first = text.find_first_of("0123456789", at);
  if (first == text.npos || first - at > gap_max) return 0;
  std::uint64_t number = 0;
  for (auto i = first; i < text.size() && number <= window_max; ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    const bool group =
        text[i] == ',' && i + 3 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
    if (!digit && !group) break;
    if (digit) number = number * 10 + static_cast<std::uint64_t>(text[i] - '0');
  }
  return number >= window_min && number <= window_max ? number : 0;
}

std::uint64_t number_before(std::string_view text, std::size_t end) {
  auto begin = end;
  while (begin > 0 &&
         ((text[begin - 1] >= '0' && text[begin - 1] <= '9') || text[begin - 1] == ','))
    --begin;
  return begin == end ? 0 : number_at(text.substr(0, end), begin);
}

}  // namespace

bool speaks_of_context(std::string_view text) {
  const auto lower = lower_case(text);
  return std::any_of(wordings.begin(), wordings.end(),
                     [&](std::string_view w) { return lower.find(w) != lower.npos; });
}

std::uint64_t window_named_in(std::string_view text) {
  const auto lower = lower_case(text);
  for (const auto words : before)
    for (auto at = lower.find(words); at != lower.npos; at = lower.find(words, at + 1))
      if (const auto number = number_at(lower, at + words.size())) return number;
  for (const auto words : behind)
    for (auto at = lower.find(words); at != lower.npos; at = lower.find(words, at + 1))
      if (const auto number = number_before(lower, at)) return number;
  return 0;
}

}  // namespace soma::llm
