// What a caller of OpenAI's face asks of a model, whichever of its routes was used; and the same as
// a call in the words of a provider's wire. Nothing is dropped in silence: what a wire cannot say
// is refused by the name of its parameter.
//
// Pure functions. Errors: request.invalid for what is no such request, request.unsupported for what
// the provider of this model cannot take; both name the parameter.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "llm/llm_client.hpp"

namespace soma::http {

// A part of a message's content.
struct ask_part {
  enum class kind : std::uint8_t { text, refusal, picture, file };
  kind is = kind::text;
  std::string text;              // of text and refusal; a data or https URL of the others
  std::string detail, filename;  // as given; empty: not given
};

struct ask_message {
  std::string role;  // system, user, assistant, tool
  std::vector<ask_part> parts;
  std::vector<tool_invocation> calls;  // assistant
  std::string call_id;                 // tool
  std::string state;                   // assistant: JSON items its provider wants back, with commas
};

struct answer_format {
  enum class kind : std::uint8_t { text, json_object, json_schema };
  kind is = kind::text;
  std::string name, description, schema_json;
  std::optional<bool> strict;
};

struct tool_choice {
  enum class kind : std::uint8_t { unset, automatic, none, required, named };
  kind is = kind::unset;
  std::string name;
};

struct model_ask {
  std::vector<ask_message> messages;
  std::vector<llm::tool_spec> tools;
  tool_choice choice;
  std::optional<bool> parallel_calls;
  answer_format format;
  std::optional<double> temperature, top_p;
  std::optional<std::uint32_t> max_tokens;
  std::optional<std::vector<std::string>> stop;
  std::string reasoning_effort, verbosity;
  // Parameters that are passed on or refused by their names, JSON values; see ask_members.cpp.
  std::vector<std::pair<std::string, std::string>> others;
};

// More pictures and files than any provider takes in one request.
inline constexpr std::size_t ask_media_max = 100;
// The words that end an answer; OpenAI takes 4, Anthropic some more.
inline constexpr std::size_t ask_stop_max = 16;
// Of one of them, as a profile's: 256 characters.
inline constexpr std::size_t ask_stop_bytes_max = 1024;

// The bodies of POST /v1/chat/completions, /v1/completions and /v1/responses, but `model`, `stream`
// and `stream_options`, which are the route's. For the first, a request to a provider of chat
// completions goes through as it came and is not read.
result<model_ask> read_chat_ask(const boost::json::object& body);
result<model_ask> read_completions_ask(const boost::json::object& body);
result<model_ask> read_responses_ask(const boost::json::object& body);

// Why an item that refers to another is refused.
inline constexpr std::string_view item_reference_words =
    "refers to an item that was stored, and nothing is stored here: set store to false, so that "
    "your client sends items whole";
// Whether a body of the Responses API asks for nothing that is stored; for what goes through as it
// came, too.
result<void> check_stateless(const boost::json::object& body);

// The ask as a call to `c.target`, whose wire says in which words. Fallbacks get the same
// parameters, and those of another wire are taken out.
result<void> put_ask(model_ask ask, llm::call& c);

// Anthropic has no format of answers: there the model must call this tool, and what it calls it
// with is the answer. Callers never see it: see format_as_text.
inline constexpr std::string_view format_tool = "json_answer";
// What the model said by that tool, taken out of the end; empty where it called none.
std::string format_as_text(llm::stream_end& how);

// ---- shared by the readers; private to model_ask ----

error ask_invalid(std::string_view parameter, std::string_view why);
error ask_unsupported(std::string_view parameter, std::string_view why);

// Sampling, stop, parallel_tool_calls: what all routes call alike. Others are judged by `others`.
result<void> take_common(const boost::json::object& body, model_ask& ask);
result<answer_format> read_format(const boost::json::value& value, std::string_view parameter);
result<std::string> text_member(const boost::json::object& o, std::string_view name,
                                std::string_view parameter);
result<std::optional<bool>> bool_member(const boost::json::object& o, std::string_view name,
                                        std::string_view parameter);

// A part of chat completions or of the Responses API, of a message of that role.
result<ask_part> read_part(const boost::json::value& value, std::string_view role,
                           std::string_view parameter);
// The text of the parts that are text; `json` is the whole in the target's words where there are
// others.
struct written_parts {
  std::string text, json;
};
result<written_parts> write_parts(const std::vector<ask_part>& parts, std::string_view role,
                                  llm::wire_kind wire);

// Whether a member is one that is passed on, refused or left out by its name alone; what is to go
// along is added to `ask.others`. Unknown ones are refused.
result<void> take_other(std::string_view name, const boost::json::value& value, model_ask& ask);
// The members of others, as that wire has them: an object's inside, with commas.
result<std::string> write_others(const model_ask& ask, llm::wire_kind wire);

}  // namespace soma::http
