// The answer of OpenAI-compatible chat completions.
//
// Format: https://platform.openai.com/docs/api-reference/chat-streaming, with the deviations seen
// in vLLM, llama.cpp, Ollama and LiteLLM: `reasoning` beside `reasoning_content`, tool calls
// without index or with a repeated one, arguments as an object, errors inside the stream.
#pragma once

#include "llm/answer_parser.hpp"

namespace soma::llm {

class chat_stream final : public answer_parser {
 public:
  using answer_parser::answer_parser;

 private:
  void on_object(const boost::json::object& event) override;
  std::string_view reason_of(std::string_view word) const override;

  void on_delta(const boost::json::object& delta);
  void on_call(const boost::json::object& call, std::int64_t position);
  void on_usage(const boost::json::object& usage);
  void on_error(const boost::json::value& error);
};

}  // namespace soma::llm
