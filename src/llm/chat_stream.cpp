#include "llm/chat_stream.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "core/json_writer.hpp"
#include "llm/provider_limits.hpp"

namespace soma::llm {

namespace json = boost::json;

namespace {

// Members of usage, most common name first; what is missing in one place may stand in another.
std::uint64_t first_count(const json::object& usage,
                          std::initializer_list<std::string_view> names) {
  for (const auto name : names)
    if (const auto count = count_member(usage, name)) return count;
  return 0;
}

// Pieces of one detail come apart: its texts are joined, its last signature counts.
bool joins(json::object& known, const json::object& piece) {
  if (string_member(known, "type") != string_member(piece, "type") ||
      index_member(known, "index", -1) != index_member(piece, "index", -1))
    return false;
  for (const auto* name : {"text", "summary", "data"})
    if (const auto more = string_member(piece, name); !more.empty()) {
      std::string all(string_member(known, name));
      known[name] = all += more;
    }
  for (const auto* name : {"signature", "id", "format"})
    if (const auto* value = piece.if_contains(name); value && !value->is_null())
      known[name] = *value;
  return true;
}

// The first choice; where a profile asks for more, the others are nobody's.
const json::object* first_of(const json::array& choices) {
  for (const auto& value : choices)
    if (const auto* choice = value.if_object(); choice && index_member(*choice, "index", 0) == 0)
      return choice;
  return nullptr;
}

}  // namespace

void chat_stream::on_object(const json::object& event) {
  if (const auto* error = event.if_contains("error"); error && !error->is_null())
    return on_error(*error);
  if (const auto* usage = object_member(event, "usage")) on_usage(*usage);
  if (const auto* groq = object_member(event, "x_groq"))
    if (const auto* usage = object_member(*groq, "usage")) on_usage(*usage);
  const auto* choices = array_member(event, "choices");
  if (choices && !choices->empty()) {
    const bool whole = string_member(event, "object") == "chat.completion";
    if (const auto* choice = first_of(*choices)) on_choice(*choice, whole);
    return;
  }
  // An error that is no member of its own: vLLM and FastAPI.
  if (string_member(event, "object") == "error") return on_error(event);
  if (const auto* detail = event.if_contains("detail"); detail && !event.contains("choices"))
    on_error(detail->is_string() ? *detail : json::value(json::serialize(*detail)));
}

// `whole`: a document, also where it ends a stream and says all of it again.
void chat_stream::on_choice(const json::object& choice, bool whole) {
  if (const auto* error = choice.if_contains("error"); error && !error->is_null())
    return on_error(*error);
  const auto* delta = object_member(choice, "delta");
  const auto* message = object_member(choice, "message");
  if (delta && !(whole && delta->empty())) {
    on_delta(*delta);
    streamed_ = streamed_ || spoke();
  } else if (message && !streamed_) {
    on_delta(*message);
    streamed_ = whole;
  } else if (!delta && !message) {
    give(string_member(choice, "text"), false);  // of servers that know completions alone
  }
  if (const auto* usage = object_member(choice, "usage")) on_usage(*usage);
  if (const auto reason = string_member(choice, "finish_reason"); !reason.empty())
    finish_reason_ = reason;
}

void chat_stream::on_delta(const json::object& delta) {
  // The same thinking may come under both names.
  if (const auto text = string_member(delta, "reasoning_content"); !text.empty())
    on_reasoning("reasoning_content", text);
  else
    on_reasoning("reasoning", string_member(delta, "reasoning"));
  if (const auto* details = array_member(delta, "reasoning_details")) on_details(*details);
  if (const auto* content = delta.if_contains("content")) on_content(*content);
  give(string_member(delta, "refusal"), false);
  std::int64_t position = 0;
  if (const auto* calls = array_member(delta, "tool_calls"))
    for (const auto& call : *calls) {
      if (const auto* object = call.if_object()) on_call(*object, position);
      ++position;
    }
  if (const auto* legacy = object_member(delta, "function_call"))
    on_call(json::object{{"index", 0}, {"function", *legacy}}, 0);
}

// A text, or parts as Mistral sends them: {"type":"thinking","thinking":[{"type":"text",…}]}.
void chat_stream::on_content(const json::value& content) {
  if (content.is_string()) return give(view(content.get_string()), false);
  const auto* parts = content.if_array();
  if (!parts) {
    if (const auto* one = content.if_object()) return give(string_member(*one, "text"), false);
    // A model that answers 42 is quoted as such by servers that take it for JSON.
    if (content.is_double()) {
      std::string text;
      json_writer(text).real(content.get_double());
      give(text, false);
    } else if (content.is_number() || content.is_bool()) {
      give(json::serialize(content), false);
    }
    return;
  }
  for (const auto& value : *parts) {
    if (value.is_string()) give(view(value.get_string()), false);
    const auto* part = value.if_object();
    if (!part) continue;
    const auto type = string_member(*part, "type");
    if (type != "thinking" && type != "reasoning") {
      give(string_member(*part, "text"), false);
      give(string_member(*part, "refusal"), false);
      continue;
    }
    give(string_member(*part, "thinking"), true);
    give(string_member(*part, "text"), true);
    if (const auto* inside = array_member(*part, "thinking"))
      for (const auto& piece : *inside)
        if (const auto* object = piece.if_object()) give(string_member(*object, "text"), true);
  }
}

void chat_stream::on_reasoning(std::string_view member, std::string_view text) {
  if (text.empty()) return;
  give(text, true);
  if (reasoning_member_.empty()) reasoning_member_ = member;
  if (reasoning_.size() + text.size() < limits::state_bytes_max) reasoning_ += text;
}

void chat_stream::on_details(const json::array& details) {
  for (const auto& value : details) {
    const auto* piece = value.if_object();
    if (!piece || details_.size() >= limits::thoughts_max) continue;
    details_bytes_ += json::serialize(*piece).size();
    if (details_bytes_ > limits::state_bytes_max) return;
    if (details_.empty() || !joins(details_.back().get_object(), *piece))
      details_.push_back(*piece);
  }
}

void chat_stream::on_call(const json::object& call, std::int64_t position) {
  position = index_member(call, "index", position);
  const auto* function = object_member(call, "function");
  const auto* arguments = function ? function->if_contains("arguments") : nullptr;
  std::string whole;
  std::string_view piece;
  if (arguments && arguments->is_string()) piece = view(arguments->get_string());
  if (arguments && (arguments->is_object() || arguments->is_array()))
    piece = whole = json::serialize(*arguments);
  const auto name = function ? string_member(*function, "name") : std::string_view();
  const auto* grown =
      grow({position, string_member(call, "id"), name, piece, call.contains("index")});
  const auto* extra = object_member(call, "extra_content");
  if (!grown || !extra) return;
  auto text = json::serialize(*extra);
  extras_bytes_ += sizeof extras_.front() + text.size();
  if (extras_bytes_ > limits::state_bytes_max) return;
  extras_.emplace_back(static_cast<std::size_t>(grown - calls().data()), std::move(text));
}

// Counts only grow: some servers end with zeros, some tell the total with every chunk.
void chat_stream::on_usage(const json::object& usage) {
  const auto grow_to = [](std::uint64_t& known, std::uint64_t told) {
    known = std::max(known, told);
  };
  grow_to(usage_.prompt_tokens, first_count(usage, {"prompt_tokens", "input_tokens"}));
  grow_to(usage_.completion_tokens, first_count(usage, {"completion_tokens", "output_tokens"}));
  grow_to(usage_.cached_tokens, first_count(usage, {"prompt_cache_hit_tokens", "cached_tokens"}));
  grow_to(usage_.reasoning_tokens, count_member(usage, "reasoning_tokens"));
  for (const auto* name : {"prompt_tokens_details", "input_tokens_details"})
    if (const auto* details = object_member(usage, name))
      grow_to(usage_.cached_tokens, count_member(*details, "cached_tokens"));
  for (const auto* name : {"completion_tokens_details", "output_tokens_details"})
    if (const auto* details = object_member(usage, name))
      grow_to(usage_.reasoning_tokens, count_member(*details, "reasoning_tokens"));
}

void chat_stream::on_error(const json::value& error) {
  if (const auto* object = error.if_object()) {
    provider_failed(index_member(*object, "code", index_member(*object, "status", 0)),
                    string_member(*object, "message"), string_member(*object, "type"),
                    string_member(*object, "code"));
  } else {
    provider_failed(0, error.is_string() ? view(error.get_string()) : std::string_view(), {}, {});
  }
}

// Thinking is wanted back with the results of the calls that it led to, and only then.
void chat_stream::before_end() {
  if (calls().empty()) return;
  std::string item;
  if (!details_.empty()) {
    json_writer w(item);
    w.begin_object().field("type", "chat_details").key("reasoning_details");
    w.raw(json::serialize(details_)).end_object();
  } else if (!reasoning_.empty()) {
    json_writer w(item);
    w.begin_object().field("type", "chat_reasoning").field("member", reasoning_member_);
    w.field("text", reasoning_).end_object();
  }
  if (!item.empty()) keep_state(item);
  for (const auto& [n, extra] : extras_) {
    item.clear();
    json_writer w(item);
    w.begin_object().field("type", "chat_call").field("n", std::uint64_t{n});
    w.key("extra_content").raw(extra).end_object();
    keep_state(item);
  }
}

}  // namespace soma::llm
