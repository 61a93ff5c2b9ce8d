#include "llm/chat_stream.hpp"

#include "answer_fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return soma::fuzz::run<soma::llm::chat_stream>(data, size);
}
