#include "llm/anthropic_stream.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "core/json_writer.hpp"
#include "llm/provider_limits.hpp"

namespace soma::llm {

namespace json = boost::json;

namespace {

std::int64_t index_of(const json::object& event) {
  return index_member(event, "index", 0);
}

// The statuses that the error types of the documentation stand for.
std::int64_t status_of(std::string_view type) {
  if (type == "authentication_error") return 401;
  if (type == "permission_error") return 403;
  if (type == "rate_limit_error") return 429;
  if (type == "overloaded_error") return 529;
  return 0;
}

}  // namespace

void anthropic_stream::on_object(const json::object& event) {
  const auto type = string_member(event, "type");
  if (type == "content_block_delta") {
    if (const auto* delta = object_member(event, "delta")) on_delta(index_of(event), *delta);
  } else if (type == "content_block_start") {
    if (const auto* block = object_member(event, "content_block"))
      on_block(index_of(event), *block);
  } else if (type == "content_block_stop") {
    on_block_end(index_of(event));
  } else if (type == "message_start") {
    if (const auto* message = object_member(event, "message"))
      if (const auto* usage = object_member(*message, "usage")) on_usage(*usage);
  } else if (type == "message_delta") {
    if (const auto* delta = object_member(event, "delta"))
      if (const auto reason = string_member(*delta, "stop_reason"); !reason.empty())
        finish_reason_ = reason;
    if (const auto* usage = object_member(event, "usage")) on_usage(*usage);
  } else if (type == "message_stop") {
    done_ = true;
  } else if (type == "message") {
    on_message(event);
  } else if (const auto* error = object_member(event, "error")) {
    on_error(*error);
  } else if (string_member(event, "object") == "error" || event.contains("detail")) {
    on_error(event);  // of a proxy
  }
}

void anthropic_stream::thought::grow(std::string thought::*part, std::string_view more) {
  lost = lost ||
         text.size() + signature.size() + redacted.size() + more.size() > limits::state_bytes_max;
  if (!lost) return void((this->*part) += more);
  for (auto* kept : {&text, &signature, &redacted}) std::string().swap(*kept);
}

void anthropic_stream::on_block(std::int64_t index, const json::object& block) {
  const auto type = string_member(block, "type");
  if (type == "text") {
    give(string_member(block, "text"), false);
  } else if (type == "tool_use") {
    auto* call = grow({index, string_member(block, "id"), string_member(block, "name"), {}});
    // Streamed inputs begin with an empty object; some proxies give them whole, and again in
    // pieces.
    if (const auto* input = object_member(block, "input"); call && input && !input->empty())
      if (auto whole = json::serialize(*input); room_for(whole.size()))
        call->given = std::move(whole);
  } else if ((type == "thinking" || type == "redacted_thinking") &&
             thoughts_.size() < limits::thoughts_max) {
    give(string_member(block, "thinking"), true);
    auto& begun = thoughts_[index] = {};
    begun.grow(&thought::text, string_member(block, "thinking"));
    begun.grow(&thought::signature, string_member(block, "signature"));
    begun.grow(&thought::redacted, string_member(block, "data"));
  }
}

void anthropic_stream::on_delta(std::int64_t index, const json::object& delta) {
  const auto type = string_member(delta, "type");
  if (type == "text_delta") {
    give(string_member(delta, "text"), false);
  } else if (type == "input_json_delta") {
    // Of a tool that the provider runs itself (server_tool_use, mcp_tool_use), or of a block not
    // known: nothing is called here.
    if (find_call(index)) grow({index, {}, {}, string_member(delta, "partial_json")});
  } else if (type == "thinking_delta") {
    give(string_member(delta, "thinking"), true);
    if (const auto at = thoughts_.find(index); at != thoughts_.end())
      at->second.grow(&thought::text, string_member(delta, "thinking"));
  } else if (type == "signature_delta") {
    if (const auto at = thoughts_.find(index); at != thoughts_.end())
      at->second.grow(&thought::signature, string_member(delta, "signature"));
  }
}

void anthropic_stream::on_block_end(std::int64_t index) {
  const auto at = thoughts_.find(index);
  if (at == thoughts_.end()) return;
  const auto& block = at->second;
  std::string kept;
  json_writer w(kept);
  if (!block.redacted.empty()) {
    w.begin_object().field("type", "redacted_thinking").field("data", block.redacted).end_object();
  } else {
    w.begin_object().field("type", "thinking").field("thinking", block.text);
    w.field("signature", block.signature).end_object();
  }
  // Without its signature a thought is refused when it comes back.
  if (!block.redacted.empty() || !block.signature.empty()) keep_state(kept);
  thoughts_.erase(at);
}

void anthropic_stream::on_message(const json::object& message) {
  std::int64_t index = 0;
  if (const auto* blocks = array_member(message, "content"))
    for (const auto& block : *blocks) {
      if (const auto* object = block.if_object()) on_block(index, *object);
      on_block_end(index++);
    }
  if (const auto* usage = object_member(message, "usage")) on_usage(*usage);
  finish_reason_ = string_member(message, "stop_reason");
  done_ = true;
}

// Later counts are totals, not additions; what a later event leaves out, or has as 0, stays.
void anthropic_stream::on_usage(const json::object& usage) {
  const auto cached = count_member(usage, "cache_read_input_tokens");
  const auto prompt = count_member(usage, "input_tokens") + cached +
                      count_member(usage, "cache_creation_input_tokens");
  usage_.cached_tokens = std::max(usage_.cached_tokens, cached);
  usage_.prompt_tokens = std::max(usage_.prompt_tokens, prompt);
  usage_.completion_tokens =
      std::max(usage_.completion_tokens, count_member(usage, "output_tokens"));
}

void anthropic_stream::on_error(const json::object& error) {
  const auto type = string_member(error, "type");
  provider_failed(status_of(type), string_member(error, "message"), type, {});
}

}  // namespace soma::llm
