// What a chat completions request says, as far as the rehearsal server looks at it, and the script
// a test may write into the last user message. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace soma::rehearsal {

struct scripted_call {
  std::string tool_id, inputs_json;
};

enum class fault_kind { none, cut, reset, rubbish, hang, error_event };

// `[[rehearsal key=value …]]`; docs/rehearsal.md is the grammar.
struct script {
  std::uint32_t delay_ms = 25, first_delay_ms = 0;
  std::optional<std::uint32_t> words;
  std::uint32_t thinking_words = 0;
  std::uint32_t chunk_bytes = 0;  // 0: a word a piece, a piece a write
  std::optional<std::string> text;
  bool unicode = false;
  fault_kind fault = fault_kind::none;
  std::uint64_t fault_at = 0;                // bytes of text sent in this attempt
  std::optional<std::uint32_t> fault_times;  // only the first so many attempts fail
  std::uint32_t status = 0, retry_after_s = 0;
  bool hang_before = false, refuse_prefix = false;
  std::vector<scripted_call> calls;
  std::uint32_t tools_rounds = 1;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> usage;  // prompt, completion
};

struct message {
  std::string role, text;
  std::vector<scripted_call> calls;
};

struct offered_tool {
  std::string tool_id, first_input;  // first_input: the property a plain text goes to
};

struct conversation {
  std::vector<message> messages;  // directives removed, the prefix not among them
  std::vector<offered_tool> tools;
  script how;
  std::string model, prefix;
  bool stream = false, include_usage = false;
  std::uint64_t hash = 0;  // of messages and script: the same for every attempt
};

// Fails with llm.bad_request and a sentence that names the member or key that is wrong.
result<conversation> parse_conversation(std::string_view body);

}  // namespace soma::rehearsal
