#include "llm/responses_stream.hpp"

#include <boost/json.hpp>

#include "llm/provider_limits.hpp"

namespace soma::llm {

namespace json = boost::json;

// llama.cpp numbers nothing, and names its items alone.
std::int64_t responses_stream::index_of(const json::object& event) {
  if (event.contains("output_index")) return index_member(event, "output_index", 0);
  auto id = string_member(event, "item_id");
  if (const auto* item = object_member(event, "item"); item && id.empty())
    id = string_member(*item, "id");
  for (std::size_t n = 0; n < named_.size(); ++n)
    if (named_[n] == id) return static_cast<std::int64_t>(n);
  if (id.empty() || named_.size() >= limits::calls_max) return 0;
  named_.emplace_back(id);
  return static_cast<std::int64_t>(named_.size() - 1);
}

void responses_stream::on_object(const json::object& event) {
  const auto type = string_member(event, "type");
  const auto delta = string_member(event, "delta");
  if (type == "response.output_text.delta" || type == "response.refusal.delta") {
    give(delta, false);
  } else if (type == "response.reasoning_summary_text.delta" ||
             type == "response.reasoning_text.delta" || type == "response.reasoning.delta") {
    give(delta, true);
  } else if (type == "response.function_call_arguments.delta") {
    grow({index_of(event), {}, {}, delta});
  } else if (type == "response.output_item.added") {
    if (const auto* item = object_member(event, "item")) on_item_begin(index_of(event), *item);
  } else if (type == "response.output_item.done") {
    if (const auto* item = object_member(event, "item")) on_item_end(index_of(event), *item);
  } else if (type == "response.completed" || type == "response.incomplete" ||
             type == "response.failed") {
    if (const auto* response = object_member(event, "response")) {
      if (spoke())
        on_response(*response);
      else
        on_whole(*response);  // of a server that tells all at the end
    }
  } else if (type == "error") {
    const auto* inside = object_member(event, "error");  // as some servers put it
    on_error(inside ? *inside : event);
  } else if (const auto* error = object_member(event, "error")) {
    on_error(*error);
  } else if (string_member(event, "object") == "response") {
    on_whole(event);
  } else if (string_member(event, "object") == "error" || event.contains("detail")) {
    on_error(event);  // of a proxy
  }
}

void responses_stream::on_item_begin(std::int64_t index, const json::object& item) {
  if (string_member(item, "type") == "function_call")
    grow({index, string_member(item, "call_id"), string_member(item, "name"), {}});
}

void responses_stream::on_item_end(std::int64_t index, const json::object& item) {
  const auto type = string_member(item, "type");
  if (type == "function_call") {
    // The whole arguments, for servers that send no pieces of them.
    const auto* call = find_call(index);
    const bool has_arguments = call && !call->arguments.empty();
    grow({index, string_member(item, "call_id"), string_member(item, "name"),
          has_arguments ? std::string_view() : string_member(item, "arguments")});
  } else if (type == "reasoning" && item.contains("encrypted_content")) {
    keep_state(json::serialize(item));
  }
}

void responses_stream::on_response(const json::object& response) {
  if (const auto* usage = object_member(response, "usage")) on_usage(*usage);
  if (const auto* error = object_member(response, "error")) return on_error(*error);
  finish_reason_ = string_member(response, "status");
  if (const auto* details = object_member(response, "incomplete_details"))
    if (const auto reason = string_member(*details, "reason"); !reason.empty())
      finish_reason_ = reason;
  if (finish_reason_ == "failed") return provider_failed(0, {}, {}, {});
  done_ = true;
}

void responses_stream::on_whole(const json::object& response) {
  std::int64_t index = 0;
  if (const auto* items = array_member(response, "output"))
    for (const auto& value : *items) {
      const auto* item = value.if_object();
      if (!item) continue;
      for (const char* list : {"summary", "content"})
        if (const auto* parts = array_member(*item, list))
          for (const auto& part : *parts)
            if (const auto* object = part.if_object()) {
              const bool thinking = string_member(*item, "type") == "reasoning";
              give(string_member(*object, "text"), thinking);
              give(string_member(*object, "refusal"), thinking);
            }
      on_item_end(index++, *item);
    }
  on_response(response);
}

void responses_stream::on_usage(const json::object& usage) {
  usage_.prompt_tokens = count_member(usage, "input_tokens");
  usage_.completion_tokens = count_member(usage, "output_tokens");
  if (const auto* details = object_member(usage, "input_tokens_details"))
    usage_.cached_tokens = count_member(*details, "cached_tokens");
  if (const auto* details = object_member(usage, "output_tokens_details"))
    usage_.reasoning_tokens = count_member(*details, "reasoning_tokens");
}

void responses_stream::on_error(const json::object& error) {
  const auto code = string_member(error, "code");
  provider_failed(0, string_member(error, "message"), string_member(error, "type"), code);
}

}  // namespace soma::llm
