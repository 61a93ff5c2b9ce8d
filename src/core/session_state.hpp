// What a session is: the fold of its events, plus what only the running incarnation knows.
//
// `apply` is the one way a session's durable state changes, live and in replay alike; whatever it
// leaves can be had again by folding the log from `session.open`, or from a snapshot of it
// (session_snapshot.hpp, which names every member). Deltas of finished messages may be missing from
// what is folded. Values only: owned by one session actor (or a test), not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/boxed.hpp"
#include "core/event.hpp"
#include "core/ids.hpp"
#include "core/small_queue.hpp"
#include "core/uuid.hpp"

namespace soma {

// Who caused something: goes into the meta of every event that follows from it.
struct origin {
  std::string user_id, request_id, trace_id;
  // What he was when he was let in, `{role, groups, key_id, door}`, for policy, which may be asked
  // long after; empty where nobody knows.
  std::string actor_json{};
};

// One line of the conversation after the user's message: what the model said, or a tool's answer.
struct transcript_line {
  std::string message_id;  // of the model call
  std::string text;
  std::vector<tool_invocation> tool_calls;
  // A tool's answer names its call and carries the output (or error) as JSON in `text`.
  std::string tool_call_id, provider_call_id;
  // What the provider that said it wants back with it.
  std::string provider{}, provider_state_json{};
  bool runtime = false;    // nobody asked: the runtime read what was attached
  bool shortened = false;  // a tool's result of which only the beginning is kept
};

struct turn_record {
  std::string turn_id;  // the user's message_id
  std::string user_text;
  std::vector<attachment_ref> attachments;
  origin from;
  std::vector<transcript_line> lines;
  // What was recalled for it, as its memory.recall holds it; kept while it can be asked again.
  std::string remembered_json{};
  std::uint64_t settled_bytes = 0;  // what it weighs, since another has begun
};

// Ids, 16 bytes each where they are UUIDs as we write them.
class id_list {
 public:
  void add(std::string_view id);
  bool contains(std::string_view id) const;  // looks at all of them

 private:
  friend struct id_list_members;
  std::string uuids_;
  std::vector<std::string> others_;
};

// What is kept of turns that a fold with a bound has let go.
struct past_turns {
  std::uint64_t messages = 0;  // of users, and answers with a text
  id_list answers;             // so that feedback finds them
};

// A turn that is to be begun, once what is remembered was looked through for it. Not durable: after
// a crash it is asked for anew.
struct pending_recall {
  std::string turn_id, instruction, supersedes;
  std::string query;
  bool asked = false;  // else the answer came at a time when the turn could not begin
};

// A model call whose llm.complete is still to come.
struct open_call {
  body::llm_request request;
  std::string text;                  // the message so far, as readers see it
  std::uint64_t next_offset = 0;     // of the next delta: below text.size() after a cut prefix
  std::uint64_t thinking_bytes = 0;  // of this attempt
  std::size_t escaped_bytes = 0;     // of text, as JSON
  std::uint64_t begin_bytes = 0;     // of text, when this attempt began
  std::uint32_t fruitless = 0;       // attempts in a row before this one that brought nothing on
  std::uint32_t overflows = 0;       // attempts before this one that the model found too large
  bool thinking_open = false;        // the last piece was thinking
  bool answered = false;             // message.assistant is there, llm.complete follows
  std::int64_t started_at_ms = 0;
};

// A model call that ended without an answer and is to be asked again, with the same message_id.
struct unanswered_call {
  body::llm_request request;
  std::string text;
  bool thinking_open = false;
  bool shown = false;  // readers saw text or thinking
  bool grew = false;   // the last attempt added text
  std::uint32_t fruitless = 0, overflows = 0;
  bool overflowed = false;  // the last attempt was too large: the next one is smaller

  // What the next attempt's `fruitless` is. Text that is continued is progress, text that is
  // dropped is not; so a long answer survives any number of crashes, and a hopeless one ends.
  std::uint32_t next_fruitless(bool resumes) const {
    if (overflowed) return fruitless;
    return resumes && grew ? 0 : fruitless + 1;
  }
};

struct open_tool {
  body::tool_call call;
  std::int64_t started_at_ms = 0;
  origin from{};  // who asked; a call by hand has no turn that says so
};

struct running_turn {
  std::string turn_id;
  std::string instruction;
  std::uint32_t step = 0;
  std::uint32_t tool_calls = 0;
};

// A request that its model found larger than its context: while that model answers, the next ones
// are smaller than this.
struct refused_context {
  std::string profile, model;
  std::uint64_t tokens = 0;  // by our estimate
};

// Of the turns that are over a session keeps this much text and what stands around it: more than
// the largest model's context takes.
inline constexpr std::uint64_t kept_turns_bytes_max = 8u << 20;
inline constexpr std::uint64_t no_turns_bound = UINT64_MAX;

// A member added here has to be named in session_snapshot.cpp, which does not build otherwise.
struct session_state {
  // ---- folded from events ----
  session_key key;
  std::uint64_t seq = 0;          // last event; 0: the session does not exist
  std::uint64_t compact_seq = 0;  // seq of the newest message.assistant
  std::string title, persona_id;
  std::string owner;  // user_id of who made it
  soma::sharing sharing;
  std::int64_t created_at_ms = 0, updated_at_ms = 0;
  std::uint64_t message_count = 0;
  bool paused = false;
  bool closed = false;             // deleted
  std::vector<turn_record> turns;  // started, in order; the oldest may have gone to `past`
  past_turns past;
  std::uint64_t settled_bytes = 0;  // of `turns` but the newest
  small_queue<turn_record> queue;   // accepted, not started
  std::optional<running_turn> turn;
  boxed<open_call> call;
  boxed<unanswered_call> unanswered;
  std::vector<open_tool> tools;
  boxed<refused_context> too_large;

  // ---- of this incarnation ----
  // What turns that are over may weigh. Set before anything is folded; without it all are kept.
  std::uint64_t turns_bytes_max = no_turns_bound;
  std::uint32_t epoch = 0;
  uuid_source ids;
  boxed<pending_recall> recalling;
  bool prefill_refused = false;
  // The model's context as its provider named it, of that model; 0: it did not.
  std::string window_model;
  std::uint64_t window_tokens = 0;

  bool exists() const { return seq > 0 && !closed; }
  // Work that must go on after a crash without anyone asking.
  bool busy() const {
    return call || !tools.empty() || (!paused && (turn.has_value() || !queue.empty()));
  }
  turn_record* find_turn(std::string_view turn_id);  // started or waiting
  // Whether the agent said this, and no retry has replaced it.
  bool has_answer(std::string_view message_id) const;
};

// What a retry replaces: all that was said but what was read of the attachments.
void drop_answers(turn_record& turn);

// Messages that a reader of a turn saw: the user's, and answers with a text.
std::uint64_t messages_of(const turn_record& turn);

// Cuts a tool's result to its beginning and a note. False: it is short already.
bool shorten_result(std::string& text);

void apply(session_state& state, const event& e);

// The types that `apply` looks into, as a mask of (1 << type). Replay steps over all others, so
// that none of them can stand in its way; the caller then sets `seq`.
std::uint32_t folded_types();

}  // namespace soma
