#include "llm/chat_stream.hpp"

#include <boost/json.hpp>

namespace soma::llm {

namespace json = boost::json;

void chat_stream::on_object(const json::object& event) {
  if (const auto* error = event.if_contains("error"); error && !error->is_null())
    return on_error(*error);
  if (const auto* usage = object_member(event, "usage")) on_usage(*usage);
  const auto* choices = array_member(event, "choices");
  if (!choices || choices->empty()) return;
  const auto* choice = choices->front().if_object();
  if (!choice) return;
  if (const auto* delta = object_member(*choice, "delta")) {
    on_delta(*delta);
  } else if (const auto* message = object_member(*choice, "message")) {
    on_delta(*message);
  }
  if (const auto reason = string_member(*choice, "finish_reason"); !reason.empty())
    finish_reason_ = reason;
}

void chat_stream::on_delta(const json::object& delta) {
  auto thinking = string_member(delta, "reasoning_content");
  if (thinking.empty()) thinking = string_member(delta, "reasoning");
  give(thinking, true);
  give(string_member(delta, "content"), false);
  give(string_member(delta, "refusal"), false);
  std::int64_t position = 0;
  if (const auto* calls = array_member(delta, "tool_calls"))
    for (const auto& call : *calls) {
      if (const auto* object = call.if_object()) on_call(*object, position);
      ++position;
    }
}

void chat_stream::on_call(const json::object& call, std::int64_t position) {
  const auto* index = call.if_contains("index");
  if (index && index->is_int64()) position = index->get_int64();
  const auto* function = object_member(call, "function");
  const auto* arguments = function ? function->if_contains("arguments") : nullptr;
  std::string whole;
  std::string_view piece;
  if (arguments && arguments->is_string()) piece = view(arguments->get_string());
  if (arguments && arguments->is_object()) piece = whole = json::serialize(*arguments);
  const auto name = function ? string_member(*function, "name") : std::string_view();
  grow({position, string_member(call, "id"), name, piece});
}

void chat_stream::on_usage(const json::object& usage) {
  usage_.prompt_tokens = count_member(usage, "prompt_tokens");
  usage_.completion_tokens = count_member(usage, "completion_tokens");
  if (const auto* details = object_member(usage, "prompt_tokens_details"))
    usage_.cached_tokens = count_member(*details, "cached_tokens");
  if (const auto* details = object_member(usage, "completion_tokens_details"))
    usage_.reasoning_tokens = count_member(*details, "reasoning_tokens");
}

void chat_stream::on_error(const json::value& error) {
  if (const auto* object = error.if_object()) {
    const auto* number = object->if_contains("code");
    provider_failed(number && number->is_int64() ? number->get_int64() : 0,
                    string_member(*object, "message"), string_member(*object, "type"),
                    string_member(*object, "code"));
  } else {
    provider_failed(0, error.is_string() ? view(error.get_string()) : std::string_view(), {}, {});
  }
}

std::string_view chat_stream::reason_of(std::string_view word) const {
  if (word == "max_tokens") return "length";
  return word;
}

}  // namespace soma::llm
