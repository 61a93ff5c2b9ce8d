// Memory in a session: what is remembered of it, and what a turn is told before its first model
// call.
#include <algorithm>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/session_step.hpp"
#include "core/utf8.hpp"

namespace soma {
namespace {

constexpr std::size_t asked_bytes_max = 2000;  // of the message, as a question to memory
constexpr std::size_t before_bytes_max = 200;  // of each text of the turns before it
constexpr std::size_t turns_before_max = 2;
constexpr std::size_t items_max = 12;
constexpr std::size_t why_bytes_max = 255;

bool is_blank(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) <= ' '; });
}

void add_line(std::string& to, std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max)
    text = text.substr(0, utf8_complete_prefix(text.substr(0, bytes_max)));
  if (is_blank(text)) return;
  if (!to.empty()) to += '\n';
  to += text;
}

bool is_answer(const transcript_line& line) {
  return !line.runtime && line.tool_call_id.empty();
}

// The message, and the turns before it in short: "what is she called?" alone finds nothing.
std::string query_of(const std::vector<const turn_record*>& turns) {
  std::string query;
  add_line(query, turns.back()->user_text, asked_bytes_max);
  const auto before = std::min(turns_before_max, turns.size() - 1);
  for (std::size_t n = 0; n < before; ++n) {
    const auto& turn = *turns[turns.size() - 2 - n];
    add_line(query, turn.user_text, before_bytes_max);
    const auto said = std::find_if(turn.lines.rbegin(), turn.lines.rend(), is_answer);
    if (said != turn.lines.rend()) add_line(query, said->text, before_bytes_max);
  }
  return query;
}

}  // namespace

void session_step::remember(std::string message_id, std::string turn_id, std::string_view text,
                            const origin& from) {
  if (!rules.remember || is_blank(text)) return;
  emit(body::memory_write{s.ids.next(), std::move(message_id), {}, std::move(turn_id), "stored"},
       from);
}

// Once a turn: it is told what its memory.recall says, however often its model is asked.
bool session_step::wants_recall(const question& q) const {
  if (!rules.recall || s.turn || q.step != 1) return false;
  const auto* turn = s.find_turn(q.turn_id);
  if (!turn || !turn->remembered_json.empty()) return false;
  // What one user remembers is not told in the session of another, where that one reads it.
  if (turn->from.user_id != s.owner) return false;
  if (!s.queue.empty() && s.queue.front().turn_id == q.turn_id) return true;
  // A turn that was refused for want of its memory.
  return rules.recall_strict && std::none_of(turn->lines.begin(), turn->lines.end(), is_answer);
}

bool session_step::begin(const question& q) {
  if (wants_recall(q)) {
    auto query = query_of(turns_with(q.turn_id));
    if (!query.empty()) {
      s.recalling = pending_recall{q.turn_id, q.instruction, q.supersedes, std::move(query), true};
      ask_memory();
      return false;
    }
  }
  ask(q);
  return true;
}

void session_step::ask_memory() {
  action::recall what;
  what.turn_id = s.recalling->turn_id;
  what.query = s.recalling->query;
  const auto turns = turns_with(what.turn_id);
  for (const auto& part :
       build_context(turns, context_rules(s, rules, s.recalling->instruction)).parts)
    if (!part.message_id.empty() &&
        (what.held_message_ids.empty() || what.held_message_ids.back() != part.message_id))
      what.held_message_ids.push_back(part.message_id);
  // What was said after this message is not remembered yet, as far as this turn goes.
  for (const auto& waiting : s.queue)
    if (waiting.turn_id != what.turn_id) what.held_message_ids.push_back(waiting.turn_id);
  what.items_max = items_max;
  what.bytes_max = static_cast<std::size_t>(rules.recall_tokens) * 4;
  what.from = turns.back()->from;
  out.then.push_back(std::move(what));
}

bool session_step::recalls_waiting_turn() const {
  return s.recalling && !s.paused && !s.queue.empty() &&
         s.queue.front().turn_id == s.recalling->turn_id;
}

void session_step::on(const input::recalled& in) {
  if (!s.recalling || !s.recalling->asked || s.recalling->turn_id != in.turn_id) return;
  if (s.paused) {  // asked again when the session goes on
    s.recalling->asked = false;
    return;
  }
  const auto pending = std::move(*s.recalling);
  s.recalling.reset();
  const question q{pending.turn_id, pending.instruction, pending.supersedes, 1, 0, {}};
  const std::string why(json_fitting(in.why, why_bytes_max));
  if (in.degraded && !in.by_words_alone && rules.recall_strict) {
    // In the log it is a model call that could not be made.
    ask(q);
    std::erase_if(out.then,
                  [](const auto& a) { return std::holds_alternative<action::start_llm>(a); });
    end_turn("error", failure{std::string(codes::memory_unavailable), why, true}, false);
    return advance();
  }
  const auto items = fitting_items(in.items, items_max, rules.recall_tokens * 4);
  if (!items.empty() || in.degraded)
    emit(body::memory_recall{q.turn_id, pending.query, encode_remembered(items), in.degraded,
                             in.degraded ? why : std::string(), in.as_of},
         turn_origin(q.turn_id));
  ask(q);
}

}  // namespace soma
