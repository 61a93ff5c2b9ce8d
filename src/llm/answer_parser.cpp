#include "llm/answer_parser.hpp"

#include <array>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_proof.hpp"
#include "core/json_writer.hpp"
#include "llm/provider_error.hpp"

namespace soma::llm {
namespace {

namespace json = boost::json;

// Callers guard the answer's text; what the model writes into tool calls they see only at the end.
constexpr std::size_t call_bytes_max = 4 * 1024 * 1024;
constexpr std::size_t calls_max = 128;
constexpr std::size_t state_bytes_max = 256 * 1024;

json::value parse_lenient(std::string_view text, boost::system::error_code& ec,
                          const json::storage_ptr& memory) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;  // a sequence cut between two deltas; utf8_joiner mends it
  if (text.find("\\u") == text.npos)
    return json::parse(json::string_view(text.data(), text.size()), ec, memory, options);
  const auto mended = unescape_lone_surrogates(text);
  return json::parse(json::string_view(mended.data(), mended.size()), ec, memory, options);
}

std::string whole_text(std::string_view raw) {
  utf8_joiner joiner;
  auto text = joiner.push(raw);
  return text += joiner.flush();
}

// Always a JSON object: what the model wrote if it is one, else that text inside one. A number past
// every double is for no program that reads them, the provider that is sent it again among them.
std::string safe_inputs(std::string_view raw) {
  const auto text = whole_text(raw);
  if (text.find_first_not_of(" \t\r\n") == text.npos) return "{}";
  boost::system::error_code ec;
  if (json::parse(text, ec).is_object() && !ec && !number_past(text, number_bound::finite))
    return text;
  std::string out;
  json_writer(out).begin_object().field("_invalid_arguments", text).end_object();
  return out;
}

}  // namespace

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

const json::array* array_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value ? value->if_array() : nullptr;
}

std::uint64_t count_member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (!value) return 0;
  boost::system::error_code ec;
  const auto number = value->to_number<std::uint64_t>(ec);
  return ec ? 0 : number;
}

answer_parser::answer_parser(on_piece piece, clean_text clean)
    : piece_(std::move(piece)), clean_(std::move(clean)) {}

void answer_parser::on_data(std::string_view data) {
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

void answer_parser::fail(failure why) {
  if (!error_) error_ = std::move(why);
}

void answer_parser::provider_failed(std::int64_t status, std::string_view message,
                                    std::string_view kind, std::string_view code) {
  fail(failure_in_stream(status, message, kind, code, clean_(message)));
}

answer_parser::growing_call* answer_parser::grow(const call_piece& piece) {
  if (!room_for(piece.id.size() + piece.name.size() + piece.arguments.size())) return nullptr;
  growing_call* grown = nullptr;
  // Providers that number every call 0 still give each its own id.
  for (auto call = calls_.rbegin(); call != calls_.rend() && !grown; ++call)
    if (call->index == piece.index &&
        (piece.id.empty() || call->id.empty() || call->id == piece.id))
      grown = &*call;
  if (!grown) {
    grown = &calls_.emplace_back();
    grown->index = piece.index;
  }
  if (grown->id.empty()) grown->id = piece.id;
  if (grown->name.empty()) grown->name = piece.name;
  grown->arguments += piece.arguments;
  spoke_ = true;
  return grown;
}

answer_parser::growing_call* answer_parser::find_call(std::int64_t index) {
  for (auto& call : calls_)
    if (call.index == index) return &call;
  return nullptr;
}

bool answer_parser::room_for(std::size_t bytes) {
  call_bytes_ += bytes;
  if (call_bytes_ <= call_bytes_max && calls_.size() <= calls_max) return true;
  fail({std::string(codes::llm_bad_stream), "the model's tool calls are longer than allowed",
        false});
  return false;
}

bool answer_parser::keep_state(std::string_view json) {
  if (state_.size() + json.size() >= state_bytes_max) return false;
  if (!state_.empty()) state_ += ',';
  state_ += json;
  return true;
}

void answer_parser::give(std::string_view bytes, bool thinking) {
  if (bytes.empty()) return;
  spoke_ = true;
  if (thinking != thinking_) give_held_back();
  thinking_ = thinking;
  if (auto whole = joiner_.push(bytes); !whole.empty()) piece_(std::move(whole), thinking_);
}

void answer_parser::give_held_back() {
  if (auto rest = joiner_.flush(); !rest.empty()) piece_(std::move(rest), thinking_);
}

stream_end answer_parser::finish() {
  stream_end end;
  end.usage = usage_;
  const auto reason = reason_of(finish_reason_);
  if (reason == "content_filter")
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
  if (!state_.empty()) end.provider_state_json = whole_text('[' + state_ + ']');
  const bool called = !end.tool_calls.empty();
  end.finish_reason = reason == "length" ? "length" : called ? "tool_calls" : "stop";
  return end;
}

}  // namespace soma::llm
