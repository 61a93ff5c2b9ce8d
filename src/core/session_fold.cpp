#include <algorithm>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/session_state.hpp"
#include "core/utf8.hpp"

namespace soma {
namespace {

// Everything that belongs to the conversation, but not to the log's position.
void clear_conversation(session_state& s) {
  s.turns.clear();
  s.past = {};
  s.settled_bytes = 0;
  s.queue.clear();
  s.turn.reset();
  s.call.reset();
  s.unanswered.reset();
  s.tools.clear();
  s.too_large.reset();
  s.recalling.reset();
  s.paused = false;
  s.message_count = 0;
}

// What memory takes beside the texts of each, about.
constexpr std::uint64_t turn_frame_bytes = 400, line_frame_bytes = 300, part_frame_bytes = 150;

std::uint64_t weight_of(const turn_record& turn) {
  auto bytes = turn_frame_bytes + turn.turn_id.size() + turn.user_text.size();
  for (const auto& file : turn.attachments)
    bytes += part_frame_bytes + file.id.size() + file.filename.size() + file.content_type.size();
  for (const auto& line : turn.lines) {
    bytes += line_frame_bytes + line.message_id.size() + line.text.size() +
             line.tool_call_id.size() + line.provider_call_id.size() + line.provider.size() +
             line.provider_state_json.size();
    for (const auto& call : line.tool_calls)
      bytes += part_frame_bytes + call.tool_call_id.size() + call.provider_call_id.size() +
               call.tool_id.size() + call.inputs_json.size();
  }
  return bytes;
}

void weigh(session_state& s, turn_record& turn) {
  s.settled_bytes -= turn.settled_bytes;
  turn.settled_bytes = weight_of(turn);
  s.settled_bytes += turn.settled_bytes;
}

// As the model's context does it: the results of tools are shortened, and then whole turns left
// out, the oldest first. A quarter at once, since what is kept moves up.
void let_old_turns_go(session_state& s) {
  const auto enough = s.turns_bytes_max / 4 * 3;
  for (auto turn = s.turns.begin(); turn != s.turns.end() && s.settled_bytes > enough; ++turn) {
    bool cut = false;
    for (auto& line : turn->lines)
      if (!line.tool_call_id.empty() && !line.runtime && shorten_result(line.text))
        cut = line.shortened = true;
    if (cut) weigh(s, *turn);
  }
  auto kept = s.turns.begin();
  for (; kept != s.turns.end() && s.settled_bytes > enough; ++kept) {
    s.settled_bytes -= kept->settled_bytes;
    s.past.messages += messages_of(*kept);
    for (const auto& line : kept->lines)
      if (line.tool_call_id.empty()) s.past.answers.add(line.message_id);
  }
  s.turns.erase(s.turns.begin(), kept);
}

// Another turn begins: only the newest is asked again, or told what was remembered.
void settle_newest(session_state& s) {
  if (s.turns.empty()) return;
  auto& turn = s.turns.back();
  turn.remembered_json = {};
  if (s.turns_bytes_max == no_turns_bound) return;
  turn.from.request_id = {};
  turn.from.trace_id = {};
  turn.from.actor_json = {};
  weigh(s, turn);
  if (s.settled_bytes > s.turns_bytes_max) let_old_turns_go(s);
}

// The 16 bytes of a UUID as format_uuid writes it; empty: it is none.
std::string packed_uuid(std::string_view id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string bytes;
  if (id.size() != 36) return {};
  for (std::size_t n = 0; n < id.size();) {
    if (n == 8 || n == 13 || n == 18 || n == 23) {
      if (id[n++] != '-') return {};
      continue;
    }
    const auto high = digits.find(id[n]), low = digits.find(id[n + 1]);
    if (high == digits.npos || low == digits.npos) return {};
    bytes += static_cast<char>(high << 4 | low);
    n += 2;
  }
  return bytes;
}

struct folder {
  session_state& s;
  const event_meta& meta;

  void operator()(const body::session_open& b) {
    clear_conversation(s);
    s.title = b.title;
    s.persona_id = b.persona_id;
    s.owner = meta.user_id;
    s.updated_at_ms = meta.created_at_ms;
    if (s.created_at_ms == 0) s.created_at_ms = meta.created_at_ms;
  }

  void operator()(const body::message_user& b) {
    s.queue.push_back({b.message_id,
                       b.text,
                       b.attachments,
                       {meta.user_id, meta.request_id, meta.trace_id, meta.actor_json},
                       {}});
    s.updated_at_ms = meta.created_at_ms;
    ++s.message_count;
  }

  void operator()(const body::llm_request& b) {
    start_turn_of(b);
    open_call call;
    call.request = b;
    call.started_at_ms = meta.created_at_ms;
    if (s.unanswered && s.unanswered->request.message_id == b.message_id) {
      call.fruitless = s.unanswered->next_fruitless(b.resume_offset.has_value());
      call.overflows = s.unanswered->overflows;
      call.text = std::move(s.unanswered->text);
      call.begin_bytes = call.text.size();
      call.next_offset = b.resume_offset.value_or(call.text.size());
      call.escaped_bytes = json_escaped_size(call.text);
    }
    s.unanswered.reset();
    s.call = std::move(call);
  }

  void operator()(const body::llm_delta& b) {
    if (!s.call || s.call->request.message_id != b.message_id) return;
    open_call& call = *s.call;
    call.thinking_open = b.thinking;
    if (b.thinking) {
      call.thinking_bytes = b.offset + b.text.size();
      return;
    }
    if (b.offset < call.text.size()) {
      call.text.resize(b.offset);
      call.escaped_bytes = json_escaped_size(call.text);
    }
    call.text += b.text;
    call.next_offset = call.text.size();
    call.escaped_bytes += json_escaped_size(b.text);
  }

  void operator()(const body::llm_restart& b) {
    if (!s.call || s.call->request.message_id != b.message_id) return;
    s.call->text.clear();
    s.call->begin_bytes = 0;
    s.call->next_offset = 0;
    s.call->escaped_bytes = 0;
    s.call->thinking_bytes = 0;
    s.call->thinking_open = false;
  }

  void operator()(const body::message_assistant& b) {
    s.compact_seq = meta.id.seq;
    s.updated_at_ms = meta.created_at_ms;
    if (s.call && s.call->request.message_id == b.message_id) s.call->answered = true;
    s.unanswered.reset();
    // A final message without text or calls only marks the end of its turn: the model is not told.
    if (auto* turn = s.find_turn(b.turn_id); turn && !(b.text.empty() && b.tool_calls.empty()))
      turn->lines.push_back({b.message_id,
                             b.text,
                             b.tool_calls,
                             {},
                             {},
                             s.call ? s.call->request.provider : std::string(),
                             b.provider_state_json});
    if (b.final && s.turn && s.turn->turn_id == b.turn_id) s.turn.reset();
  }

  void operator()(const body::llm_complete& b) {
    if (!s.call || s.call->request.invocation_id != b.invocation_id) return;
    const bool overflowed = b.error && b.error->code == codes::llm_context_exceeded;
    if (overflowed)
      s.too_large = refused_context{s.call->request.profile, s.call->request.model,
                                    s.call->request.prompt_tokens_estimate};
    if (!s.call->answered) {
      unanswered_call last;
      last.shown = !s.call->text.empty() || s.call->thinking_bytes > 0;
      last.grew = s.call->text.size() > s.call->begin_bytes;
      last.fruitless = s.call->fruitless;
      last.overflows = s.call->overflows + (overflowed ? 1 : 0);
      last.overflowed = overflowed;
      last.thinking_open = s.call->thinking_open;
      last.request = std::move(s.call->request);
      last.text = std::move(s.call->text);
      s.unanswered = std::move(last);
    }
    s.call.reset();
  }

  void operator()(const body::tool_call& b) {
    s.tools.push_back(
        {b, meta.created_at_ms, {meta.user_id, meta.request_id, meta.trace_id, meta.actor_json}});
    if (s.turn && s.turn->turn_id == b.turn_id) ++s.turn->tool_calls;
  }

  void operator()(const body::tool_result& b) {
    const auto at = std::find_if(s.tools.begin(), s.tools.end(), [&](const open_tool& t) {
      return t.call.tool_call_id == b.tool_call_id;
    });
    if (at == s.tools.end()) return;
    if (auto* turn = s.find_turn(b.turn_id)) turn->lines.push_back(answer_of(at->call, b));
    s.tools.erase(at);
  }

  void operator()(const body::session_state& b) {
    s.paused = b.paused;
    s.title = b.title;
    if (b.shared) s.sharing = *b.shared;
  }

  void operator()(const body::session_close& b) { s.closed = b.reason == "deleted"; }

  void operator()(const body::memory_recall& b) {
    if (auto* turn = s.find_turn(b.turn_id)) turn->remembered_json = b.items_json;
  }
  void operator()(const body::tool_progress&) {}
  void operator()(const body::memory_write&) {}
  void operator()(const body::app_event&) {}
  void operator()(const body::error&) {}

  // The first request of a turn takes it from the queue; later ones find it among the turns.
  void start_turn_of(const body::llm_request& b) {
    if (!s.queue.empty() && s.queue.front().turn_id == b.turn_id) {
      settle_newest(s);
      s.turns.push_back(std::move(s.queue.front()));
      s.queue.pop_front();
    }
    if (!b.supersedes.empty())
      if (auto* turn = s.find_turn(b.turn_id)) drop_answers(*turn);
    if (!s.turn || s.turn->turn_id != b.turn_id) s.turn = running_turn{b.turn_id, {}, 0, 0};
    s.turn->step = b.step;
    s.turn->instruction = b.instruction;
  }

  static transcript_line answer_of(const body::tool_call& call, const body::tool_result& b) {
    transcript_line line;
    line.tool_call_id = b.tool_call_id;
    line.provider_call_id = call.provider_call_id;
    line.runtime = call.requested_by == "runtime";
    if (!b.output_json.empty()) {
      line.text = b.output_json;
    } else {
      json_writer w(line.text);
      w.begin_object().field("status", b.status);
      if (b.error) w.field("error", b.error->code).field("detail", b.error->detail);
      w.end_object();
    }
    return line;
  }
};

}  // namespace

turn_record* session_state::find_turn(std::string_view turn_id) {
  // Almost always the newest one.
  const auto at = std::find_if(turns.rbegin(), turns.rend(),
                               [&](const turn_record& t) { return t.turn_id == turn_id; });
  if (at != turns.rend()) return &*at;
  const auto waiting = std::find_if(queue.begin(), queue.end(),
                                    [&](const turn_record& t) { return t.turn_id == turn_id; });
  return waiting == queue.end() ? nullptr : &*waiting;
}

bool session_state::has_answer(std::string_view message_id) const {
  // Most likely of one of the last turns.
  const bool kept = std::any_of(turns.rbegin(), turns.rend(), [&](const turn_record& turn) {
    return std::any_of(turn.lines.begin(), turn.lines.end(), [&](const transcript_line& line) {
      return line.tool_call_id.empty() && line.message_id == message_id;
    });
  });
  return kept || past.answers.contains(message_id);
}

void id_list::add(std::string_view id) {
  if (const auto bytes = packed_uuid(id); !bytes.empty())
    uuids_ += bytes;
  else
    others_.emplace_back(id);
}

bool id_list::contains(std::string_view id) const {
  const auto bytes = packed_uuid(id);
  if (bytes.empty()) return std::find(others_.begin(), others_.end(), id) != others_.end();
  for (std::size_t at = 0; at < uuids_.size(); at += bytes.size())
    if (uuids_.compare(at, bytes.size(), bytes) == 0) return true;
  return false;
}

std::uint64_t messages_of(const turn_record& turn) {
  return 1 + static_cast<std::uint64_t>(std::count_if(
                 turn.lines.begin(), turn.lines.end(), [](const transcript_line& line) {
                   return !line.runtime && line.tool_call_id.empty() && !line.text.empty();
                 }));
}

bool shorten_result(std::string& text) {
  constexpr std::size_t kept_bytes = 400;
  constexpr std::string_view note = " [cut here to fit the model's context]";
  if (text.size() <= kept_bytes + note.size()) return false;
  text.resize(utf8_complete_prefix(std::string_view(text).substr(0, kept_bytes)));
  text += note;
  text.shrink_to_fit();
  return true;
}

void drop_answers(turn_record& turn) {
  std::erase_if(turn.lines, [](const transcript_line& line) { return !line.runtime; });
}

void apply(session_state& state, const event& e) {
  state.seq = e.meta.id.seq;
  std::visit(folder{state, e.meta}, e.body);
}

std::uint32_t folded_types() {
  std::uint32_t mask = 0;
  for (unsigned type = 1; type <= event_type_max; ++type) mask |= 1u << type;
  for (const auto type : {event_type::tool_progress, event_type::memory_write,
                          event_type::app_event, event_type::error})
    mask &= ~(1u << static_cast<unsigned>(type));
  return mask;
}

}  // namespace soma
