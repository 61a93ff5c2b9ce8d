#include "llm/answer_parser.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "core/codes.hpp"
#include "core/json_bounds.hpp"
#include "core/json_proof.hpp"
#include "core/json_writer.hpp"
#include "llm/provider_error.hpp"
#include "llm/provider_limits.hpp"

namespace soma::llm {
namespace {

namespace json = boost::json;

constexpr std::string_view white_space = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(white_space);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(white_space) + 1 - first);
}

json::value parse_lenient(std::string_view text, boost::system::error_code& ec,
                          const json::storage_ptr& memory) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;  // a sequence cut between two deltas; utf8_joiner mends it
  if (text.find("\\u") == text.npos) return parse_foreign_json(text, ec, options, memory);
  const auto mended = unescape_lone_surrogates(text);
  return parse_foreign_json(mended, ec, options, memory);
}

std::string whole_text(std::string_view raw) {
  utf8_joiner joiner;
  auto text = joiner.push(raw);
  return text += joiner.flush();
}

std::string object_text(std::string_view text) {
  boost::system::error_code ec;
  const auto value = parse_foreign_json(text, ec);
  if (ec) return {};
  if (value.is_object()) return std::string(text);
  // Written as JSON twice over, as some servers do.
  if (!value.is_string()) return {};
  const auto& inner = value.get_string();
  if (!parse_foreign_json(inner, ec).is_object() || ec) return {};
  return std::string(inner);
}

// Always a JSON object: what the model wrote if it is one, else that text inside one. A number past
// every double is for no program that reads them, the provider that is sent it again among them.
std::string safe_inputs(std::string_view raw) {
  const auto text = whole_text(raw);
  const auto inside = trimmed(text);
  if (inside.empty() || inside == "null") return "{}";
  auto object = object_text(text);
  if (!object.empty() && !number_past(object, number_bound::finite)) return object;
  std::string out;
  json_writer(out).begin_object().field("_invalid_arguments", text).end_object();
  return out;
}

// Looks no further than such an object is long: this is asked with every piece.
bool is_empty_object(std::string_view text) {
  constexpr std::size_t bytes_max = 64;
  return text.size() <= bytes_max && trimmed(text) == "{}";
}

bool is_whole_object(std::string_view text) {
  if (!trimmed(text).starts_with('{') || !trimmed(text).ends_with('}')) return false;
  boost::system::error_code ec;
  parse_foreign_json(text, ec);
  return !ec;
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
  if (!value || !value->is_number()) return 0;
  boost::system::error_code ec;
  const auto number = value->to_number<double>(ec);
  if (ec || !(number > 0)) return 0;
  return static_cast<std::uint64_t>(std::min(number, static_cast<double>(limits::tokens_max)));
}

std::int64_t index_member(const json::object& object, std::string_view name,
                          std::int64_t otherwise) {
  const auto* value = object.if_contains(name);
  if (!value) return otherwise;
  if (value->is_string()) {
    const auto text = view(value->get_string());
    std::int64_t number = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    return ec == std::errc() && end == text.data() + text.size() ? number : otherwise;
  }
  boost::system::error_code ec;
  if (!value->is_number()) return otherwise;
  const auto number = value->to_number<std::int64_t>(ec);
  return ec ? otherwise : number;
}

answer_parser::answer_parser(on_piece piece, clean_text clean)
    : piece_(std::move(piece)), clean_(std::move(clean)) {}

void answer_parser::on_data(std::string_view data) {
  if (over()) return;
  const auto inside = trimmed(data);
  if (inside.empty() || inside == "null") return;
  if (inside.starts_with("[DONE]") || inside == R"("[DONE]")") {
    done_ = true;
    return;
  }
  std::array<unsigned char, 4096> buffer;
  json::monotonic_resource memory(buffer.data(), buffer.size());
  boost::system::error_code ec;
  const auto document = parse_lenient(data, ec, &memory);
  if (!ec && document.is_object()) return on_object(document.get_object());
  // Gemini puts an error, and some servers their events, into an array.
  const auto* list = ec ? nullptr : document.if_array();
  const bool of_objects =
      list && std::all_of(list->begin(), list->end(), [](const auto& v) { return v.is_object(); });
  if (!of_objects)
    return fail({std::string(codes::llm_bad_stream), "the provider sent what is not JSON", true});
  for (const auto& event : *list)
    if (!over()) on_object(event.get_object());
}

void answer_parser::fail(failure why) {
  if (!error_) error_ = std::move(why);
}

void answer_parser::provider_failed(std::int64_t status, std::string_view message,
                                    std::string_view kind, std::string_view code) {
  // What is behind says nothing new, and is looked through many times.
  message = message.substr(0, limits::error_body_bytes_max);
  fail(failure_in_stream(status, message, kind.substr(0, limits::error_body_bytes_max),
                         code.substr(0, limits::error_body_bytes_max), clean_(message)));
}

// Providers number calls, or give each its id, or both, or number all of them 0; some give a new id
// with every piece, or the name again and again.
answer_parser::growing_call* answer_parser::call_of(const call_piece& piece) {
  growing_call* numbered = nullptr;  // the newest of that index
  for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) {
    if (call->index != piece.index) continue;
    if (!piece.id.empty() && call->id == piece.id) return &*call;
    if (!numbered) numbered = &*call;
  }
  if (!numbered || piece.name.empty() || numbered->name.empty()) return numbered;
  // With a name of its own it is another call, unless it is the same one told again.
  if (!piece.id.empty() && !numbered->id.empty()) return nullptr;
  if (name_goes_on(*numbered, piece)) return numbered;
  if (piece.name != numbered->name) return nullptr;
  // Read only where its brackets are closed, which is once: more behind them is no object any more.
  return trimmed(piece.arguments).starts_with('{') && numbered->brackets.closed() &&
                 numbered->arguments != piece.arguments && !is_empty_object(numbered->arguments) &&
                 is_whole_object(numbered->arguments)
             ? nullptr
             : numbered;
}

// A name comes in pieces, as arguments do, where its call has none of those yet and is known by its
// number or id.
bool answer_parser::name_goes_on(const growing_call& call, const call_piece& piece) {
  const bool same = piece.id.empty() ? piece.numbered : piece.id == call.id;
  return same && call.arguments.empty() && call.given.empty() && !call.name.empty() &&
         !piece.name.empty() && piece.name != call.name;
}

answer_parser::growing_call* answer_parser::grow(const call_piece& piece) {
  if (!room_for(piece.id.size() + piece.name.size() + piece.arguments.size())) return nullptr;
  growing_call* grown = call_of(piece);
  if (!grown) {
    grown = &calls_.emplace_back();
    grown->index = piece.index;
  }
  if (grown->id.empty()) grown->id = piece.id;
  if (grown->name.empty())
    grown->name = trimmed(piece.name);
  else if (name_goes_on(*grown, piece))
    grown->name = piece.name.starts_with(grown->name) ? std::string(piece.name)
                                                      : grown->name + std::string(piece.name);
  spoke_ = true;
  if (piece.arguments.empty()) return grown;
  // Some begin with an empty object and then write the real one, some end with all of it again.
  if (is_empty_object(grown->arguments)) {
    grown->arguments.clear();
    grown->brackets = {};
  }
  const bool again = grown->arguments == piece.arguments && is_whole_object(piece.arguments);
  if (again) return grown;
  grown->arguments += piece.arguments;
  grown->brackets.add(piece.arguments);
  return grown;
}

void answer_parser::bracket_count::add(std::string_view more) {
  for (const char c : more) {
    if (in_text_) {
      in_text_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
    } else if (white_space.find(c) != white_space.npos) {
      continue;
    } else if (depth_ == 0) {
      beyond_ = beyond_ || begun_ || c != '{';
      begun_ = true;
      depth_ = 1;
    } else if (c == '"') {
      in_text_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      --depth_;
    }
  }
}

answer_parser::growing_call* answer_parser::find_call(std::int64_t index) {
  for (auto& call : calls_)
    if (call.index == index) return &call;
  return nullptr;
}

bool answer_parser::room_for(std::size_t bytes) {
  call_bytes_ += bytes;
  if (call_bytes_ <= limits::call_bytes_max && calls_.size() <= limits::calls_max) return true;
  fail({std::string(codes::llm_bad_stream), "the model's tool calls are longer than allowed",
        false});
  return false;
}

bool answer_parser::keep_state(std::string_view json) {
  if (state_.size() + json.size() >= limits::state_bytes_max) return false;
  if (!state_.empty()) state_ += ',';
  state_ += json;
  return true;
}

void answer_parser::give(std::string_view bytes, bool thinking) {
  if (bytes.empty()) return;
  spoke_ = true;
  const auto part = [this](std::string_view text, bool inside) { give_part(text, inside); };
  if (!thinking) return thoughts_.push(bytes, part);
  thoughts_.flush(part, false);  // what is held back came before
  thoughts_.pass_all();
  give_part(bytes, true);
}

void answer_parser::give_part(std::string_view bytes, bool thinking) {
  if (bytes.empty()) return;
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
  const auto how = meaning_of(finish_reason_);
  end.filtered = how == ending::filtered;
  if (end.filtered)
    fail({std::string(codes::llm_provider_error), "the provider's content filter ended the answer",
          false});
  if (how == ending::failed)
    fail({std::string(codes::llm_provider_error), "the provider ended the answer as failed", true});
  // gpt-oss' channel comes with the name where a server takes its call apart only half.
  for (auto& call : calls_) call.name = trimmed(call.name.substr(0, call.name.find("<|")));
  // A call without a name is nothing that could be run.
  std::erase_if(calls_, [](const growing_call& call) {
    return call.name.empty() && trimmed(call.arguments).empty();
  });
  if (std::any_of(calls_.begin(), calls_.end(), [](const auto& call) { return call.name.empty(); }))
    fail({std::string(codes::llm_bad_stream), "the model called a tool without a name", true});
  if (!error_ && !finished()) {
    end.cut = spoke_;
    fail({std::string(codes::llm_bad_stream),
          spoke_ ? "the provider's stream broke off" : "the provider's answer is empty", true});
  }
  if (error_) {
    end.error = std::move(error_);
    return end;
  }
  thoughts_.flush([this](std::string_view part, bool inside) { give_part(part, inside); },
                  how != ending::length);
  end.thought_begun = thoughts_.thought_begun();
  give_held_back();
  if (finish_reason_.empty() && !spoke_) {
    end.error = failure{std::string(codes::llm_bad_stream), "the provider's answer is empty", true};
    return end;
  }
  before_end();
  for (auto& call : calls_)
    end.tool_calls.push_back({{},
                              std::move(call.id),
                              std::move(call.name),
                              safe_inputs(call.arguments.empty() ? call.given : call.arguments)});
  if (!state_.empty()) end.provider_state_json = whole_text('[' + state_ + ']');
  const bool called = !end.tool_calls.empty();
  end.finish_reason = how == ending::length ? "length" : called ? "tool_calls" : "stop";
  return end;
}

}  // namespace soma::llm
