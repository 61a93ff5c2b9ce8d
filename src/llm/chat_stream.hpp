// The answer of OpenAI-compatible chat completions.
//
// Format: https://platform.openai.com/docs/api-reference/chat-streaming, with the deviations seen
// in vLLM, llama.cpp, Ollama, LiteLLM, OpenRouter, Mistral, DeepSeek, Groq and Gemini: `reasoning`
// beside `reasoning_content`, content as parts, tool calls without index or with a repeated one,
// arguments as an object, usage in other places, a last chunk that repeats the message, errors
// inside the stream.
//
// What a tool call's provider wants back with its results is kept as its state, in items of our
// own types: `chat_reasoning` (the thinking, under the name it came by), `chat_details`
// (OpenRouter's reasoning_details), `chat_call` (Gemini's extra_content of the n-th call).
#pragma once

#include <boost/json/array.hpp>

#include "llm/answer_parser.hpp"

namespace soma::llm {

class chat_stream final : public answer_parser {
 public:
  using answer_parser::answer_parser;

 private:
  void on_object(const boost::json::object& event) override;
  void before_end() override;

  void on_choice(const boost::json::object& choice, bool whole);
  void on_delta(const boost::json::object& delta);
  void on_content(const boost::json::value& content);
  void on_reasoning(std::string_view member, std::string_view text);
  void on_details(const boost::json::array& details);
  void on_call(const boost::json::object& call, std::int64_t position);
  void on_usage(const boost::json::object& usage);
  void on_error(const boost::json::value& error);

  bool streamed_ = false;  // a delta has said something
  std::string reasoning_, reasoning_member_;
  boost::json::array details_;
  std::size_t details_bytes_ = 0;
  std::vector<std::pair<std::size_t, std::string>> extras_;  // of the n-th call
  std::size_t extras_bytes_ = 0;
};

}  // namespace soma::llm
