// The port to language models. An adapter streams one model call; callers name a profile and never
// see a provider's wire format.
//
// Threads: `start` and the handle may be used from any thread and never block. The sink is called
// on the client's own io thread, one call at a time for a stream, and must not block; no call comes
// after on_end. Destroying the handle cancels: the provider's connection is closed at once and the
// sink is not called again after ~stream_handle returned on another thread than the sink's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/event.hpp"
#include "core/secret.hpp"
#include "llm/provider_limits.hpp"

namespace soma {
class byte_budget;
}

namespace soma::llm {

// A picture beside a text, as it goes into requests; read by read_picture (llm/picture.hpp).
struct picture {
  std::string content_type;  // image/png …
  std::shared_ptr<const std::string> base64;
};

// One line of the conversation as a model sees it.
struct chat_message {
  std::string role;  // system, user, assistant, tool
  std::string text;
  std::vector<tool_invocation> tool_calls;  // assistant
  std::string provider_call_id;             // tool: which call this answers
  std::string provider_state_json{};        // assistant: what its provider wants back with it
  std::vector<picture> pictures{};          // user: left out for a target that takes none
  // In place of text and pictures: the parts of the content as the target's wire has them, JSON
  // values separated by commas. `text` then is only what is estimated and looked for in echoes.
  std::string content_json{};
};

struct tool_spec {
  std::string tool_id, description, inputs_schema_json;
  bool strict{};  // the provider is to hold the model to the schema, where it can
};

// How a provider is spoken to: chat completions, OpenAI's Responses, Anthropic's Messages.
enum class wire_kind : std::uint8_t { openai_chat, openai_responses, anthropic };

// US dollars a million tokens.
struct token_prices {
  double input = 0, cached_input = 0, output = 0;
  bool operator==(const token_prices&) const = default;
};

// Where and how to call: a profile with its secret.
struct profile {
  std::string name = "default";
  std::string provider = "openai_compatible";  // whose credential it is; for counts and breakers
  bool public_only =
      false;  // an address that is not everybody's is refused, whatever the name says
  wire_kind wire = wire_kind::openai_chat;
  std::string base_url;  // normalized: scheme://host[:port]/path, without a final slash
  std::string model;
  secret_string api_key;
  bool prefill = false;   // resume = prefill: an assistant prefix is continued
  bool pictures = false;  // takes them as parts of a message
  std::optional<double> temperature, top_p;
  std::optional<std::uint32_t> max_tokens;
  std::vector<std::string> stop;
  std::string reasoning_effort;          // low, medium, high, or the provider's own word
  std::string extra_json;                // an object: further members of the request's body
  std::uint64_t context_window = 32768;  // tokens
  std::optional<token_prices> prices;
};

struct timeouts {
  // `total_ms` from the start of a call to its end; 0: none.
  std::uint32_t connect_ms = 5000, first_token_ms = 60000, idle_ms = 30000, total_ms = 0;
};

// What is asked of a provider: an answer, or one of the documents beside it. The last two are of
// llama.cpp and Ollama, outside their compatible API.
enum class purpose : std::uint8_t { answer, embeddings, model_list, properties, description };

// What a provider was found to refuse, and so is asked without, or to do its own way
// (llm/wire_form.hpp).
struct wire_form {
  bool no_stream_options = false;
  bool completion_tokens = false;  // max_completion_tokens in place of max_tokens
  bool no_temperature = false, no_top_p = false;
  bool no_tools = false, no_tool_choice = false;
  bool no_system = false;          // its text goes before the first message of the user
  bool no_reasoning = false;       // thinking is not given back
  bool no_include = false;         // openai_responses: encrypted reasoning
  bool begins_in_thought = false;  // answers have the end of their thinking, not its beginning
  // The longest answer, in tokens, that the model may be asked for; 0: it was not told.
  std::uint64_t answer_tokens_max = 0;

  bool operator==(const wire_form&) const = default;
};

struct call {
  profile target;
  llm::purpose purpose = llm::purpose::answer;
  std::vector<profile> fallbacks;  // tried in order, while nothing was said yet
  std::uint32_t retries = 0;       // of each target, while nothing was said yet
  timeouts waits;
  std::vector<chat_message> messages;
  std::vector<tool_spec> tools;
  std::string tool_choice_json;  // in the provider's own form
  bool may_call_tools = true;    // false: they are named for the sake of the history alone
  // An object: further members of the body, as the provider has them. They win over a profile's.
  std::string members_json;
  std::string prefix;  // assistant text to go on from; empty: a new message
  // openai_chat, openai_responses, embeddings: the body's members as the caller gave them, in place
  // of what would be made of the rest; an object without `model`, which is the target's.
  // `raw_members` names them.
  std::string raw_body;
  std::vector<std::string> raw_members;
  wire_form form{};  // of the target; set by the client
  // Whose turn it is where calls wait for places (llm/call_places.hpp).
  std::string tenant, asker;
  std::string request_id, traceparent;
};

struct stream_end {
  // stop, length, tool_calls; or `failure` is set.
  std::string finish_reason;
  std::vector<tool_invocation> tool_calls;  // tool_call_id left empty: the session's to give
  std::string provider_state_json;          // an array that the provider wants back; empty: none
  soma::usage usage;
  std::optional<failure> error;     // code is one of the llm.* codes, or server.busy
  bool cut = false;                 // the stream ended without saying why, after at least one piece
  bool prefix_refused = false;      // a 4xx to a call with a prefix
  bool elsewhere = false;           // refused for what another profile may well do
  bool filtered = false;            // ended by the provider's content filter: no fault of its own
  std::optional<wire_form> form{};  // how the same may be asked with success
  std::optional<bool> thought_begun{};  // see wire_form::begins_in_thought; none: it does not tell
  std::uint64_t context_window = 0;     // tokens, where the provider told it; 0: it did not
  std::uint32_t retry_after_ms = 0;
  unsigned refused_status = 0;  // the HTTP status of a provider that refused; 0: none did
  // Who answered, or failed last.
  std::string profile, provider, model, base_url;
  std::uint32_t attempts = 0;
};

double cost_of(const soma::usage& used, const token_prices& prices);

class kept_document;

struct stream_sink {
  // Each event's data as the provider sent it, or the whole document; in place of on_piece. Valid
  // during the call.
  std::function<void(std::string_view data)> on_raw;
  // Embeddings, found to be such, in place of on_raw.
  std::function<void(std::shared_ptr<kept_document> document)> on_document{};
  // `text` is whole code points. Thinking and text come in the provider's order.
  std::function<void(std::string text, bool thinking)> on_piece;
  std::function<void(stream_end)> on_end;
};

class stream_handle {
 public:
  virtual ~stream_handle() = default;  // cancels
  // Backpressure: while paused nothing is read from the provider's socket.
  virtual void pause() = 0;
  virtual void resume() = 0;
};

class llm_client {
 public:
  virtual ~llm_client() = default;
  virtual std::unique_ptr<stream_handle> start(call c, stream_sink sink) = 0;
  struct counters {
    std::uint64_t calls = 0, open_streams = 0, connections_open = 0, connections_reused = 0;
  };
  virtual counters stats() const = 0;
};

class provider_health;
class call_places;
class wire_forms;
class name_lookups;

struct client_options {
  bool verify_tls = true;
  std::string ca_file;                                  // empty: the system's
  std::size_t pool_idle_max = 32;                       // kept connections over all providers
  std::uint32_t pool_idle_ms = 30000;                   // age at which an unused one is closed
  std::size_t line_bytes_max = limits::line_bytes_max;  // one SSE line of the provider
  std::size_t document_bytes_max = limits::document_bytes_max;      // an answer in one piece
  std::size_t embeddings_bytes_max = limits::embeddings_bytes_max;  // the same of embeddings
  std::size_t error_body_bytes_max = limits::error_body_bytes_max;
  std::shared_ptr<provider_health> health;  // shared with other clients; null: its own
  std::shared_ptr<call_places> places;      // the same
  std::shared_ptr<wire_forms> forms;        // the same
  std::shared_ptr<name_lookups> names;      // the same
  std::shared_ptr<byte_budget> documents;   // the same
};

// Calls providers over HTTP/1.1, on an io thread of its own.
std::unique_ptr<llm_client> make_provider_client(const client_options& options);

}  // namespace soma::llm
