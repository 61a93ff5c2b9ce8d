// The JSON body of a chat completions request. Pure.
#pragma once

#include <string>

#include "llm/llm_client.hpp"

namespace soma::llm {

// A prefix becomes a last assistant message with `continue_final_message` and without
// `add_generation_prompt`, as vLLM names them.
std::string make_request_body(const call& c);

}  // namespace soma::llm
