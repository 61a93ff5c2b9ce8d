// The three ways in which providers are asked and understood. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "llm/answer_parser.hpp"
#include "llm/llm_client.hpp"

namespace soma::llm {

struct provider_request {
  std::string_view method = "POST";
  std::string path;                 // behind the base URL's own
  bool at_root = false;             // without the base URL's final /v1
  std::string_view version_header;  // Anthropic's: name and value, empty for others
  std::string_view key_before;      // of the header with the key, up to the key; empty: no key
  std::string body;
};

// A prefix becomes a last assistant message: to be continued as Anthropic does by itself, or with
// `continue_final_message` and without `add_generation_prompt`, as vLLM names them.
provider_request make_request(const call& c);

std::unique_ptr<answer_parser> make_parser(const call& c, answer_parser::on_piece piece,
                                           answer_parser::clean_text clean);

std::string_view to_string(wire_kind wire);  // openai_chat, openai_responses, anthropic
std::optional<wire_kind> parse_wire_kind(std::string_view name);

// ---- the bodies; private to wire ----

std::string chat_body(const call& c);
std::string anthropic_body(const call& c);
std::string responses_body(const call& c);
// The caller's own members, with the target's model and, for an answer, its parameters where the
// caller gave none.
std::string relayed_body(const call& c);

}  // namespace soma::llm
