#include "core/session_snapshot.hpp"

#include <algorithm>
#include <concepts>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "core/checksum.hpp"
#include "core/codes.hpp"

namespace soma {

struct id_list_members {
  static auto of(const id_list& all) { return std::tie(all.uuids_, all.others_); }
  static auto of(id_list& all) { return std::tie(all.uuids_, all.others_); }
};

namespace {

// ---- one walk over the members, for writing and for reading ----
//
// Each takes a value apart by name: a member that is added is missing here, and nothing builds.

template <class T, class Wanted>
concept some = std::same_as<std::remove_const_t<T>, Wanted>;

template <class Io, some<origin> T>
void walk(Io& io, T& one) {
  auto& [user_id, request_id, trace_id, actor_json] = one;
  io(user_id, request_id, trace_id, actor_json);
}

template <class Io, some<attachment_ref> T>
void walk(Io& io, T& one) {
  auto& [id, filename, content_type, size_bytes] = one;
  io(id, filename, content_type, size_bytes);
}

template <class Io, some<tool_invocation> T>
void walk(Io& io, T& one) {
  auto& [tool_call_id, provider_call_id, tool_id, inputs_json] = one;
  io(tool_call_id, provider_call_id, tool_id, inputs_json);
}

template <class Io, some<transcript_line> T>
void walk(Io& io, T& one) {
  auto& [message_id, text, tool_calls, tool_call_id, provider_call_id, provider, provider_state,
         runtime, shortened] = one;
  io(message_id, text, tool_calls, tool_call_id, provider_call_id, provider, provider_state,
     runtime, shortened);
}

template <class Io, some<turn_record> T>
void walk(Io& io, T& one) {
  auto& [turn_id, user_text, attachments, from, lines, remembered_json, settled_bytes] = one;
  io(turn_id, user_text, attachments, from, lines, remembered_json, settled_bytes);
}

template <class Io, some<id_list> T>
void walk(Io& io, T& one) {
  const auto [uuids, others] = id_list_members::of(one);
  io(uuids, others);
}

template <class Io, some<past_turns> T>
void walk(Io& io, T& one) {
  auto& [messages, answers] = one;
  io(messages, answers);
}

template <class Io, some<running_turn> T>
void walk(Io& io, T& one) {
  auto& [turn_id, instruction, step, tool_calls] = one;
  io(turn_id, instruction, step, tool_calls);
}

template <class Io, some<body::llm_request> T>
void walk(Io& io, T& one) {
  auto& [invocation_id, message_id, turn_id, profile, model, provider, persona_version, attempt,
         step, context_from_turn, context_turns, prompt_tokens_estimate, instruction, supersedes,
         resume_offset] = one;
  io(invocation_id, message_id, turn_id, profile, model, provider, persona_version, attempt, step,
     context_from_turn, context_turns, prompt_tokens_estimate, instruction, supersedes,
     resume_offset);
}

template <class Io, some<open_call> T>
void walk(Io& io, T& one) {
  auto& [request, text, next_offset, thinking_bytes, escaped_bytes, begin_bytes, fruitless,
         overflows, thinking_open, answered, started_at_ms] = one;
  io(request, text, next_offset, thinking_bytes, escaped_bytes, begin_bytes, fruitless, overflows,
     thinking_open, answered, started_at_ms);
}

template <class Io, some<unanswered_call> T>
void walk(Io& io, T& one) {
  auto& [request, text, thinking_open, shown, grew, fruitless, overflows, overflowed] = one;
  io(request, text, thinking_open, shown, grew, fruitless, overflows, overflowed);
}

template <class Io, some<body::tool_call> T>
void walk(Io& io, T& one) {
  auto& [tool_call_id, message_id, turn_id, provider_call_id, tool_id, inputs_json, requested_by] =
      one;
  io(tool_call_id, message_id, turn_id, provider_call_id, tool_id, inputs_json, requested_by);
}

template <class Io, some<open_tool> T>
void walk(Io& io, T& one) {
  auto& [call, started_at_ms, from] = one;
  io(call, started_at_ms, from);
}

template <class Io, some<refused_context> T>
void walk(Io& io, T& one) {
  auto& [profile, model, tokens] = one;
  io(profile, model, tokens);
}

template <class Io, some<soma::sharing> T>
void walk(Io& io, T& one) {
  auto& [visible_to_tenant, users] = one;
  io(visible_to_tenant, users);
}

template <class Io, some<session_state> T>
void walk(Io& io, T& one) {
  auto& [key, seq, compact_seq, title, persona_id, owner, sharing, created_at_ms, updated_at_ms,
         message_count, paused, closed, turns, past, settled_bytes, queue, turn, call, unanswered,
         tools, too_large,
         // of this incarnation:
         turns_bytes_max, epoch, ids, recalling, prefill_refused, window_model, window_tokens] =
      one;
  io(seq, compact_seq, title, persona_id, owner, sharing, created_at_ms, updated_at_ms,
     message_count, paused, closed, turns, past, settled_bytes, queue, turn, call, unanswered,
     tools, too_large);
}

// ---- bytes ----

// Numbers in groups of seven bits, the least first; texts, lists: how many, then they.
class writer {
 public:
  explicit writer(std::string& out) : out_(out) {}

  template <class... T>
  void operator()(const T&... all) {
    (put(all), ...);
  }

 private:
  template <std::integral T>
  void put(T number) {
    auto left = static_cast<std::uint64_t>(number);
    for (; left > 0x7F; left >>= 7) out_ += static_cast<char>(left | 0x80);
    out_ += static_cast<char>(left);
  }
  void put(const std::string& text) {
    put(text.size());
    out_ += text;
  }
  template <class T>
  void put(const std::optional<T>& one) {
    put(one.has_value());
    if (one) put(*one);
  }
  template <class T>
  void put(const boxed<T>& one) {
    put(one.has_value());
    if (one) put(*one);
  }
  template <class T>
  void put(const std::vector<T>& all) {
    put(all.size());
    for (const auto& one : all) put(one);
  }
  template <class T>
  void put(const small_queue<T>& all) {
    put(all.size());
    for (const auto& one : all) put(one);
  }
  template <class T>
  requires std::is_class_v<T>
  void put(const T& one) { walk(*this, one); }

  std::string& out_;
};

class reader {
 public:
  explicit reader(std::string_view bytes) : left_(bytes) {}

  bool all_taken() const { return good_ && left_.empty(); }

  template <class... T>
  void operator()(T&... all) {
    (take(all), ...);
  }

 private:
  template <std::integral T>
  void take(T& number) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; good_; shift += 7) {
      if (left_.empty() || shift > 63) {
        good_ = false;
        return;
      }
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (!(byte & 0x80)) break;
    }
    number = static_cast<T>(value);
  }
  // Of what takes a byte at least each: no count is believed that cannot be.
  std::size_t take_count() {
    std::size_t count = 0;
    take(count);
    if (count > left_.size()) good_ = false;
    return good_ ? count : 0;
  }
  void take(std::string& text) {
    const auto size = take_count();
    text.assign(left_.substr(0, size));
    left_.remove_prefix(size);
  }
  template <class T>
  void take(std::optional<T>& one) {
    bool there = false;
    take(there);
    if (there && good_) take(one.emplace());
  }
  template <class T>
  void take(boxed<T>& one) {
    bool there = false;
    take(there);
    if (there && good_) take(one.emplace());
  }
  template <class T>
  void take(std::vector<T>& all) {
    const auto count = take_count();
    all.reserve(std::min(count, left_.size() / 8));
    for (auto n = count; n > 0 && good_; --n) take(all.emplace_back());
  }
  template <class T>
  void take(small_queue<T>& all) {
    for (auto n = take_count(); n > 0 && good_; --n) {
      all.push_back({});
      take(all.back());
    }
  }
  template <class T>
  requires std::is_class_v<T>
  void take(T& one) { walk(*this, one); }

  std::string_view left_;
  bool good_ = true;
};

constexpr std::size_t sum_bytes = 8, head_bytes = 1 + sum_bytes;  // version, checksum of the rest

}  // namespace

std::string encode_snapshot(const session_state& state) {
  std::string out;
  out.reserve(state.settled_bytes + 4096);
  out += static_cast<char>(snapshot_version);
  out.append(sum_bytes, '\0');
  writer write(out);
  write(state.epoch, state.turns_bytes_max, state);
  const auto sum = checksum(std::string_view(out).substr(head_bytes));
  std::memcpy(out.data() + 1, &sum, sum_bytes);
  return out;
}

result<session_state> decode_snapshot(std::string_view bytes, std::uint64_t turns_bytes_max) {
  const error damaged{codes::storage_corrupt, "the snapshot of the session is damaged"};
  if (bytes.size() < head_bytes) return damaged;
  if (static_cast<std::uint8_t>(bytes.front()) != snapshot_version)
    return error(codes::storage_format, "the snapshot is of another version");
  std::uint64_t sum = 0;
  std::memcpy(&sum, bytes.data() + 1, sum_bytes);
  bytes.remove_prefix(head_bytes);
  if (checksum(bytes) != sum) return damaged;
  session_state state;
  reader read(bytes);
  read(state.epoch, state.turns_bytes_max, state);
  if (!read.all_taken()) return damaged;
  if (state.turns_bytes_max != turns_bytes_max)
    return error(codes::storage_format, "the snapshot was taken with another bound");
  return state;
}

}  // namespace soma
