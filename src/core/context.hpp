// What the model is sent: the conversation in turn order, cut to the model's window. Whole oldest
// turns are left out; before one is, the results of its tools are shortened, and those of the turn
// that is being answered where it alone is too large. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/remembered.hpp"
#include "core/session_state.hpp"

namespace soma {

struct context_part {
  std::string kind;  // system, memory, user, attachment, assistant, tool, instruction
  std::string role;  // system, user, assistant, tool
  std::string turn_id, message_id;
  std::string text;
  std::vector<tool_invocation> tool_calls;
  std::string provider_call_id;
  std::vector<attachment_ref> pictures;       // user: to be given beside the text
  std::string provider, provider_state_json;  // assistant: who said it, and what it wants back
  std::uint64_t tokens = 0;                   // an estimate
};

struct model_context {
  std::vector<context_part> parts;
  std::uint64_t tokens = 0;
  std::string from_turn;    // oldest turn that is in
  std::uint64_t turns = 0;  // turns that are in
  // What is not sent any more: messages of users and answers of older turns; and results of tools
  // that are sent shortened.
  std::uint64_t left_out_messages = 0, shortened_results = 0;
};

struct context_options {
  std::string system_prompt;
  std::uint64_t tokens_max = 0;       // the newest turn is always sent, whatever its size
  std::string instruction;            // "", "nudge", "summarize"
  bool pictures = false;              // the model takes them
  std::uint64_t messages_before = 0;  // of turns older than those given
  // What was recalled for the newest turn. Given as far as it has room beside that turn, and before
  // older ones.
  std::vector<remembered_item> remembered{};
  std::uint64_t remembered_tokens_max = 0;
};

// The estimate used everywhere a real tokenizer is not at hand: four bytes a token, and four
// tokens for what surrounds a message.
std::uint64_t estimate_tokens(std::string_view text);
std::uint64_t tokens_of_bytes(std::uint64_t bytes);  // the same

// What providers count a picture as, or less; how large one and all of a call may be, in base64 a
// third more; and how many are given, the newest first. Others are named in the text alone, as are
// those of earlier turns that got no answer: a picture that the model refuses would end every turn
// that follows.
inline constexpr std::uint64_t picture_tokens = 1600, picture_bytes_max = 3'500'000,
                               pictures_bytes_max = 12'000'000;
inline constexpr std::size_t pictures_max = 8;

// `turns`: those that were started, oldest first, the newest being the one to answer.
model_context build_context(std::span<const turn_record* const> turns,
                            const context_options& options);

}  // namespace soma
