#include "llm/chat_stream.hpp"

#include <array>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "llm/provider_error.hpp"

namespace soma::llm {
namespace {

namespace json = boost::json;

// Callers guard the answer's text; what the model writes into tool calls they see only at the end.
constexpr std::size_t call_bytes_max = 4 * 1024 * 1024;
constexpr std::size_t calls_max = 128;

std::string_view view(const json::string& text) {
  return {text.data(), text.size()};
}

std::string_view string_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? view(value->get_string()) : std::string_view();
}

const json::object* object_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? value->if_object() : nullptr;
}

std::uint64_t count_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (!value) return 0;
  boost::system::error_code ec;
  const auto number = value->to_number<std::uint64_t>(ec);
  return ec ? 0 : number;
}

json::value parse_lenient(std::string_view text, boost::system::error_code& ec,
                          const json::storage_ptr& memory) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;  // a sequence cut between two deltas; utf8_joiner mends it
  if (text.find("\\u") == text.npos)
    return json::parse(json::string_view(text.data(), text.size()), ec, memory, options);
  const auto mended = unescape_lone_surrogates(text);
  return json::parse(json::string_view(mended.data(), mended.size()), ec, memory, options);
}

// Always a JSON object: what the model wrote if it is one, else that text inside one.
std::string safe_inputs(std::string_view raw) {
  utf8_joiner joiner;
  auto text = joiner.push(raw);
  text += joiner.flush();
  if (text.find_first_not_of(" \t\r\n") == text.npos) return "{}";
  boost::system::error_code ec;
  if (json::parse(text, ec).is_object() && !ec) return text;
  std::string out;
  json_writer(out).begin_object().field("_invalid_arguments", text).end_object();
  return out;
}

std::string known_reason(std::string_view reason, bool called) {
  if (reason == "length" || reason == "max_tokens") return "length";
  return called ? "tool_calls" : "stop";
}

}  // namespace

chat_stream::chat_stream(on_piece piece, clean_text clean)
    : piece_(std::move(piece)), clean_(std::move(clean)) {}

void chat_stream::on_data(std::string_view data) {
  if (over()) return;
  if (data.starts_with("[DONE]")) {
    done_ = true;
    return;
  }
  std::array<unsigned char, 4096> buffer;
  json::monotonic_resource memory(buffer.data(), buffer.size());
  boost::system::error_code ec;
  const auto document = parse_lenient(data, ec, &memory);
  if (ec || !document.is_object())
    return fail({std::string(codes::llm_bad_stream), "the provider sent what is not JSON", true});
  on_object(document.get_object());
}

void chat_stream::fail(failure why) {
  if (!error_) error_ = std::move(why);
}

void chat_stream::on_object(const json::object& event) {
  if (const auto* error = event.if_contains("error"); error && !error->is_null())
    return on_error(*error);
  if (const auto* usage = event.if_contains("usage")) on_usage(*usage);
  const auto* choices = event.if_contains("choices");
  if (!choices || !choices->is_array() || choices->get_array().empty()) return;
  const auto* choice = choices->get_array().front().if_object();
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
  if (const auto* calls = delta.if_contains("tool_calls"); calls && calls->is_array())
    on_calls(calls->get_array());
}

void chat_stream::on_calls(const json::array& calls) {
  std::int64_t position = 0;
  for (const auto& call : calls) {
    if (const auto* object = call.if_object()) on_call(*object, position);
    ++position;
  }
}

void chat_stream::on_call(const json::object& call, std::int64_t position) {
  const auto* index = call.if_contains("index");
  if (index && index->is_int64()) position = index->get_int64();
  const auto* function = object_member(call, "function");
  const auto id = string_member(call, "id");
  const auto name = function ? string_member(*function, "name") : std::string_view();
  const auto* arguments = function ? function->if_contains("arguments") : nullptr;
  std::string whole;
  std::string_view piece;
  if (arguments && arguments->is_string()) piece = view(arguments->get_string());
  if (arguments && arguments->is_object()) piece = whole = json::serialize(*arguments);
  if (!room_for(id.size() + name.size() + piece.size())) return;
  auto& grown = call_for(position, id);
  if (grown.id.empty()) grown.id = id;
  if (grown.name.empty()) grown.name = name;
  grown.arguments += piece;
  spoke_ = true;
}

// Providers that number every call 0 still give each its own id.
chat_stream::growing_call& chat_stream::call_for(std::int64_t index, std::string_view id) {
  for (auto call = calls_.rbegin(); call != calls_.rend(); ++call)
    if (call->index == index && (id.empty() || call->id.empty() || call->id == id)) return *call;
  calls_.emplace_back().index = index;
  return calls_.back();
}

bool chat_stream::room_for(std::size_t bytes) {
  call_bytes_ += bytes;
  if (call_bytes_ <= call_bytes_max && calls_.size() <= calls_max) return true;
  fail({std::string(codes::llm_bad_stream), "the model's tool calls are longer than allowed",
        false});
  return false;
}

void chat_stream::on_usage(const json::value& usage) {
  const auto* object = usage.if_object();
  if (!object) return;
  usage_.prompt_tokens = count_member(*object, "prompt_tokens");
  usage_.completion_tokens = count_member(*object, "completion_tokens");
}

void chat_stream::on_error(const json::value& error) {
  std::string_view message, kind, code;
  std::int64_t status = 0;
  if (const auto* object = error.if_object()) {
    message = string_member(*object, "message");
    kind = string_member(*object, "type");
    code = string_member(*object, "code");
    if (const auto* number = object->if_contains("code"); number && number->is_int64())
      status = number->get_int64();
  } else if (error.is_string()) {
    message = view(error.get_string());
  }
  fail(failure_in_stream(status, message, kind, code, clean_(message)));
}

void chat_stream::give(std::string_view bytes, bool thinking) {
  if (bytes.empty()) return;
  spoke_ = true;
  if (thinking != thinking_) give_held_back();
  thinking_ = thinking;
  if (auto whole = joiner_.push(bytes); !whole.empty()) piece_(std::move(whole), thinking_);
}

void chat_stream::give_held_back() {
  if (auto rest = joiner_.flush(); !rest.empty()) piece_(std::move(rest), thinking_);
}

stream_end chat_stream::finish() {
  stream_end end;
  end.usage = usage_;
  if (finish_reason_ == "content_filter")
    fail({std::string(codes::llm_provider_error), "the provider's content filter ended the answer",
          false});
  if (!error_ && !finished()) {
    end.cut = spoke_;
    fail({std::string(codes::llm_bad_stream), "the provider's stream broke off", true});
  }
  if (error_) {
    end.error = std::move(error_);
    return end;
  }
  give_held_back();
  for (auto& call : calls_)
    end.tool_calls.push_back(
        {{}, std::move(call.id), std::move(call.name), safe_inputs(call.arguments)});
  if (finish_reason_.empty() && !spoke_) {
    end.error = failure{std::string(codes::llm_bad_stream), "the provider's answer is empty", true};
    return end;
  }
  end.finish_reason = known_reason(finish_reason_, !end.tool_calls.empty());
  return end;
}

}  // namespace soma::llm
