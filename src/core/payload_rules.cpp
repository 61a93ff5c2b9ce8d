#include "core/payload_rules.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "core/codes.hpp"
#include "core/feedback.hpp"
#include "core/json_proof.hpp"

namespace soma {
namespace {

namespace limits = payload_limits;
using problem = std::optional<error>;

error invalid(std::string_view what) {
  return {codes::request_invalid, std::string(what)};
}

bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool in_name(char c) {
  return letter_or_digit(c) || c == '_' || c == '.' || c == '-';
}

struct short_text {
  std::string_view name, text;
  std::size_t bytes_max = limits::word_bytes_max;
};

problem too_long(std::initializer_list<short_text> all) {
  for (const auto& one : all)
    if (one.text.size() > one.bytes_max) return invalid(std::string(one.name) + " is too long");
  return std::nullopt;
}

problem bad_word(std::string_view name, std::string_view word,
                 std::initializer_list<std::string_view> known) {
  if (std::find(known.begin(), known.end(), word) != known.end()) return std::nullopt;
  return invalid(std::string(name) + " is none that is known");
}

problem bad_failure(const std::optional<failure>& why) {
  if (!why) return std::nullopt;
  return too_long({{"code", why->code}, {"detail", why->detail, limits::detail_bytes_max}});
}

struct judge {
  problem operator()(const body::session_open& b) const {
    if (auto bad = bad_title(b.title)) return bad;
    if (auto bad = bad_persona(b.persona_id)) return bad;
    return too_long({{"forked_from", b.forked_from_session}, {"forked_from", b.forked_from_event}});
  }
  problem operator()(const body::message_user& b) const {
    if (auto bad = bad_message(b.text)) return bad;
    if (b.attachments.size() > limits::attachments_max) return invalid("too many attachments");
    for (const auto& a : b.attachments)
      if (auto bad = too_long({{"filename", a.filename}, {"content_type", a.content_type}}))
        return bad;
    return std::nullopt;
  }
  problem operator()(const body::llm_request& b) const {
    if (b.attempt == 0 || b.step == 0) return invalid("attempt and step count from 1");
    if (!b.instruction.empty())
      if (auto bad = bad_word("instruction", b.instruction, {"nudge", "summarize"})) return bad;
    return too_long({{"profile", b.profile},
                     {"model", b.model},
                     {"provider", b.provider},
                     {"persona_version", b.persona_version}});
  }
  problem operator()(const body::llm_complete& b) const {
    if (auto bad = bad_failure(b.error)) return bad;
    return bad_word("finish_reason", b.finish_reason,
                    {"stop", "length", "tool_calls", "cancelled", "error", "interrupted"});
  }
  problem operator()(const body::llm_restart& b) const { return too_long({{"reason", b.reason}}); }
  problem operator()(const body::message_assistant& b) const {
    if (b.tool_calls.size() > limits::tool_calls_max) return invalid("too many tool_calls");
    for (const auto& call : b.tool_calls)
      if (auto bad =
              too_long({{"tool_id", call.tool_id, limits::model_word_bytes_max},
                        {"provider_call_id", call.provider_call_id, limits::model_word_bytes_max}}))
        return bad;
    return std::nullopt;
  }
  problem operator()(const body::tool_call& b) const {
    if (auto bad = bad_word("requested_by", b.requested_by, {"model", "user", "runtime"}))
      return bad;
    return too_long({{"tool_id", b.tool_id, limits::model_word_bytes_max},
                     {"provider_call_id", b.provider_call_id, limits::model_word_bytes_max}});
  }
  problem operator()(const body::tool_progress& b) const {
    return too_long({{"stream", b.stream}});
  }
  problem operator()(const body::tool_result& b) const {
    if (auto bad = bad_failure(b.error)) return bad;
    return bad_word("status", b.status,
                    {"success", "error", "denied", "timeout", "cancelled", "interrupted"});
  }
  problem operator()(const body::memory_write& b) const { return too_long({{"state", b.state}}); }
  problem operator()(const body::session_state& b) const {
    if (auto bad = bad_title(b.title)) return bad;
    return b.shared ? bad_users(b.shared->users) : std::nullopt;
  }
  problem operator()(const body::app_event& b) const {
    if (auto bad = bad_event_name(b.name)) return bad;
    if (!b.name.starts_with(reserved_event_prefix)) return std::nullopt;
    if (b.name != feedback_event || feedback_message(b.data_json).empty())
      return invalid("names that begin with \"soma.\" are the server's own");
    return std::nullopt;
  }
  problem operator()(const body::error& b) const {
    if (auto bad = bad_failure(b.what)) return bad;
    return too_long({{"request_id", b.request_id}});
  }
  problem operator()(const body::memory_recall& b) const {
    return too_long({{"query", b.query, limits::detail_bytes_max}, {"reason", b.reason}});
  }
  problem operator()(const body::llm_delta&) const { return std::nullopt; }
  problem operator()(const body::session_close&) const { return std::nullopt; }
};

bool longer(std::string_view text, std::size_t points_max) {
  const auto points = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // no continuation byte
  });
  return static_cast<std::size_t>(points) > points_max;
}

}  // namespace

std::optional<error> bad_title(std::string_view title) {
  if (!longer(title, limits::title_points_max)) return std::nullopt;
  return invalid("the title is longer than 200 characters");
}

std::optional<error> bad_message(std::string_view text) {
  if (!longer(text, limits::message_points_max)) return std::nullopt;
  return invalid("the message is longer than 262144 characters");
}

std::vector<std::string_view> raw_json_of(const event& e) {
  std::vector<std::string_view> all;
  if (const auto* recalled = std::get_if<body::memory_recall>(&e.body)) {
    all = {recalled->items_json};
  } else if (const auto* said = std::get_if<body::message_assistant>(&e.body)) {
    all = {said->provider_state_json};
    for (const auto& call : said->tool_calls) all.push_back(call.inputs_json);
  } else if (const auto* call = std::get_if<body::tool_call>(&e.body)) {
    all = {call->inputs_json};
  } else if (const auto* done = std::get_if<body::tool_result>(&e.body)) {
    all = {done->output_json};
  } else if (const auto* told = std::get_if<body::app_event>(&e.body)) {
    all = {told->data_json};
  }
  std::erase_if(all, [](std::string_view one) { return one.empty(); });
  return all;
}

std::optional<error> bad_persona(std::string_view persona_id) {
  if (persona_id.empty()) return std::nullopt;
  if (persona_id.size() <= limits::persona_id_bytes_max && letter_or_digit(persona_id.front()) &&
      std::all_of(persona_id.begin(), persona_id.end(), in_name))
    return std::nullopt;
  return invalid("the persona_id is none");
}

std::optional<error> bad_event_name(std::string_view name) {
  const auto allowed = [](char c) { return in_name(c) && !(c >= 'A' && c <= 'Z'); };
  if (!name.empty() && name.size() <= limits::event_name_bytes_max && name.front() >= 'a' &&
      name.front() <= 'z' && std::all_of(name.begin(), name.end(), allowed))
    return std::nullopt;
  return invalid("the name of an event is a small letter, then small letters, digits and _.-");
}

std::optional<error> bad_event(const event& e, std::int64_t now_ms) {
  const auto& meta = e.meta;
  if (meta.id.seq == 0 || meta.id.seq > limits::seq_max) return invalid("event_id is out of range");
  if (meta.created_at_ms < 0 || meta.created_at_ms > now_ms + limits::ahead_ms_max)
    return invalid("created_at lies in the future");
  if (auto bad = too_long({{"user_id", meta.user_id, limits::user_id_bytes_max},
                           {"request_id", meta.request_id},
                           {"trace_id", meta.trace_id, limits::trace_id_bytes_max},
                           {"idempotency_key", meta.idempotency_key}}))
    return bad;
  for (const auto value : raw_json_of(e))
    if (!is_raw_json(value)) return invalid("a value is nested deeper than an event can hold");
  return std::visit(judge{}, e.body);
}

}  // namespace soma
