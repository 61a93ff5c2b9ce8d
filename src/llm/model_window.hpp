// How large a model's context is, where its server tells: in its list of models, llama.cpp's
// properties, or Ollama's description. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace soma::llm {

struct told_window {
  std::uint64_t tokens = 0;  // 0: it does not tell
  bool served = true;  // what the server gives; false: what the model was trained for, and more
                       // than the server may give
};

// GET /v1/models of vLLM, llama.cpp, LM Studio, OpenRouter, Groq, Mistral, Together and others: of
// `model`, or of the only one there is.
told_window window_in_list(std::string_view document, std::string_view model);

// GET /props of llama.cpp.
told_window window_in_props(std::string_view document);

// POST /api/show of Ollama: num_ctx where the model's file sets it.
told_window window_in_description(std::string_view document);

}  // namespace soma::llm
