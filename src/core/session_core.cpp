#include "core/session_core.hpp"

#include <algorithm>
#include <utility>

#include "core/codes.hpp"
#include "core/json_proof.hpp"
#include "core/json_writer.hpp"
#include "core/payload_rules.hpp"
#include "core/session_step.hpp"
#include "core/shown_text.hpp"
#include "core/utf8.hpp"

namespace soma {
namespace {

constexpr std::size_t auto_title_bytes_max = 80;

// A conversation without a title is called after the first line of its first message.
std::string title_from(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  text = text.substr(begin);
  text = text.substr(0, text.find_first_of("\r\n"));
  if (text.size() <= auto_title_bytes_max) return plain_line(text);
  text = text.substr(0, auto_title_bytes_max);
  text = text.substr(0, utf8_complete_prefix(text));
  return plain_line(text) + "…";
}

error too_large() {
  return {codes::event_too_large, "the text is larger than one event may be"};
}

std::optional<error> bad_opening(const input::open& c) {
  if (auto bad = bad_title(c.title)) return bad;
  return bad_persona(c.persona_id);
}

// Policy could not be asked: neither a denial nor a fault that another attempt mends at once.
bool is_away(const failure& why) {
  return why.code == codes::dependency_unavailable;
}

error not_found() {
  return {codes::session_not_found, "there is no such session"};
}

}  // namespace

event_id session_step::emit(event_body body, const origin& from, std::string_view idempotency_key) {
  event e;
  e.meta.id = {s.epoch, s.seq + 1};
  e.meta.key = s.key;
  e.meta.user_id = from.user_id;
  e.meta.request_id = from.request_id;
  e.meta.trace_id = from.trace_id;
  e.meta.idempotency_key = idempotency_key;
  e.meta.created_at_ms = now_ms;
  e.body = std::move(body);
  if (e.type() == event_type::message_user || e.type() == event_type::tool_call)
    e.meta.actor_json = from.actor_json;
  apply(s, e);
  out.append.push_back(std::move(e));
  return out.append.back().meta.id;
}

void session_step::on(const input::activated& in) {
  s.epoch = in.epoch;
  s.ids = uuid_source(in.id_seed[0], in.id_seed[1]);
  if (!s.exists()) return;
  const auto tools = s.tools;
  for (const auto& tool : tools) {
    const auto& call = tool.call;
    if (in.idempotent.count(call.tool_call_id) > 0) {
      out.then.push_back(action::start_tool{call, tool.from});
      continue;
    }
    body::tool_result gone;
    gone.tool_call_id = call.tool_call_id;
    gone.turn_id = call.turn_id;
    gone.status = "interrupted";
    gone.error =
        failure{std::string(codes::tool_interrupted),
                "the server stopped while the tool ran; whether it took effect is unknown", false};
    emit(std::move(gone), tool.from);
  }
  // The time the server was away does not count against the turn.
  if (s.turn) arm_turn_deadline();
  if (s.call) append_complete("interrupted", std::nullopt);
  advance();
}

void session_step::on(const input::commanded& in) {
  auto answer = std::visit([&](const auto& command) { return decide(in.who, command); }, in.what);
  if (answer) {
    answer->session_id = s.key.session.value;
    answer->title = s.title;
    answer->persona_id = s.persona_id;
    answer->created_at_ms = s.created_at_ms;
    answer->paused = s.paused;
  }
  // The answer goes out before whatever the command set going.
  out.then.insert(out.then.begin(), action::reply{in.who.token, std::move(answer)});
}

void session_step::on(const input::llm_piece& in) {
  if (!s.call || s.call->request.invocation_id != in.invocation_id) return;
  if (add_piece(in.text, in.thinking)) return;
  out.now.push_back(action::cancel_llm{in.invocation_id});
  input::llm_done cut;
  cut.finish_reason = "length";
  finish_call(cut);
}

void session_step::on(const input::llm_done& in) {
  if (!s.call || s.call->request.invocation_id != in.invocation_id) return;
  if (add_piece(in.last_text, in.last_thinking)) return finish_call(in);
  auto cut = in;
  cut.finish_reason = "length";
  finish_call(cut);
}

void session_step::on(const input::llm_failed& in) {
  if (!s.call || s.call->request.invocation_id != in.invocation_id) return;
  add_piece(in.last_text, in.last_thinking);
  if (in.context_window > 0) {
    s.window_model = s.call->request.model;
    s.window_tokens = in.context_window;
  }
  if (in.what.code == codes::llm_context_exceeded && can_be_smaller()) {
    append_complete("error", in.what, {}, in.latency_ms, in.first_token_ms);
    return advance(0, in.what);
  }
  // Where nobody can be asked whether it may leave, nothing but time helps.
  if ((!in.what.retryable && !in.prefix_refused) || is_away(in.what)) {
    end_turn("error", in.what, false);
    return advance();
  }
  if (in.prefix_refused) s.prefill_refused = true;
  const auto attempt = s.call->request.attempt;
  const bool shown = !s.call->text.empty() || s.call->thinking_bytes > 0;
  append_complete(shown ? "interrupted" : "error", in.what, {}, in.latency_ms, in.first_token_ms);
  // Half a second doubles with each attempt; a provider that names a time is obeyed.
  const std::uint32_t back_off_ms = in.prefix_refused ? 0 : 250u << std::min(attempt, 6u);
  advance(std::max(back_off_ms, in.retry_after_ms), in.what);
}

void session_step::on(const input::tool_output& in) {
  const auto at = std::find_if(s.tools.begin(), s.tools.end(), [&](const open_tool& t) {
    return t.call.tool_call_id == in.tool_call_id;
  });
  if (at == s.tools.end()) return;
  const std::string turn_id = at->call.turn_id;
  const origin from = at->from;
  emit(body::tool_progress{in.tool_call_id, turn_id, in.stream, in.text}, from);
}

void session_step::on(const input::tool_done& in) {
  const auto at = std::find_if(s.tools.begin(), s.tools.end(), [&](const open_tool& t) {
    return t.call.tool_call_id == in.tool_call_id;
  });
  if (at == s.tools.end()) return;  // stopped meanwhile
  const std::string turn_id = at->call.turn_id;
  const origin from = at->from;
  body::tool_result done{in.tool_call_id, turn_id,  in.status,
                         in.output_json,  in.error, in.duration_ms};
  if (!done.output_json.empty() && !is_raw_json(done.output_json)) {
    done.status = "error";
    done.output_json.clear();
    done.error = failure{std::string(codes::tool_failed), "the output is not JSON", false};
  }
  if (done.output_json.size() > rules.event_text_bytes_max) {
    done.status = "error";
    done.output_json.clear();
    done.error = failure{std::string(codes::tool_output_too_large),
                         "the output is larger than one event may be", false};
  }
  // What could not be asked is no answer for a model to go on from.
  const auto away = done.error && is_away(*done.error) ? done.error : std::nullopt;
  emit(std::move(done), from);
  if (away && s.turn && s.turn->turn_id == turn_id) end_turn("error", away);
  advance();
}

void session_step::on(const input::deadline& in) {
  if (!s.turn || s.turn->turn_id != in.turn_id) return;
  if (s.paused && !s.call && !turn_has_tools()) return;  // held: armed anew by the resume
  end_turn("error", failure{std::string(codes::turn_timeout), "the turn took too long", true});
  advance();
}

// ---- commands ----

result<command_reply> session_step::decide(const input::request& who, const input::open& c) {
  if (s.seq > 0) return error{codes::session_busy, "the session exists already"};
  if (const auto bad = bad_opening(c)) return *bad;
  command_reply reply;
  reply.event = emit(body::session_open{c.persona_id, plain_line(c.title), {}, {}}, who.from,
                     who.idempotency_key);
  reply.status = "created";
  return reply;
}

result<command_reply> session_step::decide(const input::request& who, const input::message& c) {
  if (s.closed || (!s.exists() && !c.create)) return not_found();
  if (json_escaped_size(c.text) > rules.event_text_bytes_max) return too_large();
  if (const auto bad = bad_message(c.text)) return *bad;
  if (!s.exists())
    if (const auto bad = bad_opening(*c.create)) return *bad;
  if (s.queue.size() >= rules.queue_max)
    return error{codes::session_queue_full, "too many messages wait in this session", 5};
  if (!s.exists())
    emit(body::session_open{c.create->persona_id,
                            c.create->title.empty() ? title_from(c.text)
                                                    : plain_line(c.create->title),
                            {},
                            {}},
         who.from);
  else if (s.title.empty())
    append_state(s.paused, title_from(c.text), who.from);
  command_reply reply;
  reply.message_id = s.ids.next();
  reply.event = emit(body::message_user{reply.message_id, reply.message_id, c.text, c.attachments},
                     who.from, who.idempotency_key);
  remember(reply.message_id, reply.message_id, c.text, who.from);
  reply.status = "queued";
  for (const auto& call : c.prepare)
    call_tool({s.ids.next(),
               reply.message_id,
               reply.message_id,
               {},
               call.tool_id,
               call.inputs_json,
               "runtime"},
              who.from);
  advance();
  return reply;
}

result<command_reply> session_step::decide(const input::request& who,
                                           const input::tool_request& c) {
  if (!s.exists()) return not_found();
  if (c.inputs_json.size() > rules.event_text_bytes_max / 2) return too_large();
  if (!is_raw_json(c.inputs_json))
    return error{codes::tool_invalid_inputs, "the inputs are not JSON that an event can hold"};
  const auto open = std::count_if(s.tools.begin(), s.tools.end(),
                                  [](const open_tool& t) { return t.call.turn_id.empty(); });
  if (open >= static_cast<std::ptrdiff_t>(rules.requested_tools_max))
    return error{codes::session_queue_full, "too many tools run in this session", 5};
  command_reply reply;
  reply.tool_call_id = s.ids.next();
  reply.event = call_tool({reply.tool_call_id, {}, {}, {}, c.tool_id, c.inputs_json, "user"},
                          who.from, who.idempotency_key);
  reply.status = "queued";
  return reply;
}

result<command_reply> session_step::decide(const input::request& who, const input::app_event& c) {
  if (!s.exists()) return not_found();
  if (c.data_json.size() > rules.event_text_bytes_max) return too_large();
  if (const auto bad = bad_event_name(c.name)) return *bad;
  if (!is_raw_json(c.data_json))
    return error{codes::request_invalid, "the data is not JSON that an event can hold"};
  command_reply reply;
  reply.event = emit(body::app_event{c.name, c.data_json}, who.from, who.idempotency_key);
  reply.status = "appended";
  return reply;
}

result<command_reply> session_step::decide(const input::request& who, const input::feedback& c) {
  if (!s.exists()) return not_found();
  if (!s.has_answer(c.said.message_id))
    return error{codes::message_not_found, "the session has no such answer"};
  command_reply reply;
  reply.event = emit(body::app_event{std::string(feedback_event), encode(c.said)}, who.from,
                     who.idempotency_key);
  reply.message_id = c.said.message_id;
  reply.status = "recorded";
  return reply;
}

result<command_reply> session_step::decide(const input::request& who, const input::stop& c) {
  if (!s.exists()) return not_found();
  command_reply reply;
  if (!c.tool_call_id.empty()) {
    const auto at = std::find_if(s.tools.begin(), s.tools.end(), [&](const open_tool& t) {
      return t.call.tool_call_id == c.tool_call_id;
    });
    if (at == s.tools.end())
      return error{codes::tool_call_not_found, "no such tool call is running"};
    end_tool(open_tool(*at), "cancelled");
    reply.event = out.append.back().meta.id;
    reply.status = "stopped";
    advance();
    return reply;
  }
  // A turn that is about to begin ends as one that began a moment ago.
  if (recalls_waiting_turn()) ask({s.queue.front().turn_id, {}, {}, 1, 0, {}});
  const bool running =
      s.turn.has_value() || !s.tools.empty() || (s.recalling.has_value() && !s.paused);
  s.recalling.reset();
  if (s.turn) end_turn("cancelled", std::nullopt);
  const auto tools = s.tools;  // what a user started outside any turn
  for (const auto& tool : tools) end_tool(tool, "cancelled");
  if (!out.append.empty()) reply.event = out.append.back().meta.id;
  if (!s.queue.empty() && !s.paused) append_state(true, s.title, who.from);
  reply.status = running ? "stopped" : "idle";
  return reply;
}

result<command_reply> session_step::decide(const input::request& who, const input::pause& c) {
  if (!s.exists()) return not_found();
  command_reply reply;
  reply.status = c.paused ? "paused" : "resumed";
  if (s.paused == c.paused) return reply;
  append_state(c.paused, s.title, who.from);
  reply.event = out.append.back().meta.id;
  if (!c.paused && s.turn) arm_turn_deadline();
  advance();
  return reply;
}

result<command_reply> session_step::decide(const input::request& who, const input::nudge&) {
  if (!s.exists()) return not_found();
  command_reply reply;
  reply.status = "running";
  const bool reads = !s.queue.empty() && has_tools(s.queue.front().turn_id);
  if (s.call || turn_has_tools() || reads || (s.recalling && !s.paused)) return reply;
  if (s.paused) return decide(who, input::pause{false});
  if (s.turns.empty())
    return error{codes::session_nothing_to_do, "nothing has been asked in this session yet"};
  if (begin({s.turns.back().turn_id, "nudge", {}, 1, 0, {}}))
    reply.event = out.append.back().meta.id;
  return reply;
}

result<command_reply> session_step::decide(const input::request&, const input::retry&) {
  if (!s.exists()) return not_found();
  if (s.turn || s.call || s.recalling) return error{codes::session_busy, "a turn is running"};
  if (s.paused) return error{codes::session_paused, "the session is paused: resume it first"};
  if (s.turns.empty())
    return error{codes::session_nothing_to_retry, "there is no turn to ask again"};
  const auto& last = s.turns.back();
  const auto answer = std::find_if(last.lines.rbegin(), last.lines.rend(),
                                   [](const transcript_line& l) { return !l.message_id.empty(); });
  const auto supersedes = answer == last.lines.rend() ? std::string() : answer->message_id;
  command_reply reply;
  if (begin({last.turn_id, {}, supersedes, 1, 0, {}})) reply.event = out.append.back().meta.id;
  reply.status = "running";
  return reply;
}

result<command_reply> session_step::decide(const input::request&, const input::summarize&) {
  if (!s.exists()) return not_found();
  if (s.turn || s.call || s.recalling) return error{codes::session_busy, "a turn is running"};
  if (s.paused) return error{codes::session_paused, "the session is paused: resume it first"};
  if (s.turns.empty())
    return error{codes::session_nothing_to_do, "nothing has been asked in this session yet"};
  command_reply reply;
  if (begin({s.turns.back().turn_id, "summarize", {}, 1, 0, {}}))
    reply.event = out.append.back().meta.id;
  reply.status = "running";
  return reply;
}

result<command_reply> session_step::decide(const input::request& who, const input::rename& c) {
  return decide(who, input::update{c.title, {}});
}

result<command_reply> session_step::decide(const input::request& who, const input::update& c) {
  if (!s.exists()) return not_found();
  command_reply reply;
  reply.status = "updated";
  body::session_state now{s.paused, c.title ? plain_line(*c.title) : s.title, {}};
  if (const auto bad = bad_title(now.title)) return *bad;
  auto shared = s.sharing;
  if (c.sharing.visible_to_tenant) shared.visible_to_tenant = *c.sharing.visible_to_tenant;
  if (c.sharing.users) shared.users = sorted_users(*c.sharing.users);
  std::erase(shared.users, s.owner);  // it is his anyway
  if (const auto bad = bad_users(shared.users)) return *bad;
  if (shared != s.sharing) now.shared = std::move(shared);
  if (now.title == s.title && !now.shared) return reply;
  reply.event = emit(std::move(now), who.from);
  return reply;
}

result<command_reply> session_step::decide(const input::request& who, const input::reset&) {
  if (!s.exists()) return not_found();
  decide(who, input::stop{}).value();
  emit(body::session_close{"reset"}, who.from);
  command_reply reply;
  const body::session_open again{s.persona_id, s.title, {}, {}};
  auto from = who.from;
  if (!s.owner.empty()) from.user_id = s.owner;  // it stays that of who made it
  reply.event = emit(again, from, who.idempotency_key);
  reply.status = "reset";
  out.first_seq = reply.event.seq;
  // What said with whom it is shared goes with what is below.
  if (!s.sharing.is_private()) emit(body::session_state{s.paused, s.title, s.sharing}, from);
  return reply;
}

result<command_reply> session_step::decide(const input::request& who, const input::remove& c) {
  if (!s.exists()) return not_found();
  decide(who, input::stop{}).value();
  command_reply reply;
  reply.event = emit(body::session_close{"deleted"}, who.from);
  reply.status = "deleted";
  out.remove = true;
  out.keep_memories = c.keep_memories;
  return reply;
}

session_actions step(session_state& state, const session_rules& rules, std::int64_t now_ms,
                     const session_input& in) {
  session_step one{state, rules, now_ms, {}};
  std::visit([&](const auto& input) { one.on(input); }, in);
  return std::move(one.out);
}

context_options context_rules(const session_state& state, const session_rules& rules,
                              std::string_view instruction) {
  auto window = rules.context_window;
  if (state.window_tokens > 0 && state.window_model == rules.model)
    window = std::min(window, state.window_tokens);
  auto tokens_max = window / 4 * 3;
  const auto& refused = state.too_large;
  if (refused && refused->profile == rules.profile && refused->model == rules.model)
    tokens_max = std::min(tokens_max, refused->tokens / 3 * 2);
  context_options options;
  options.system_prompt = rules.system_prompt;
  options.tokens_max = tokens_max;
  options.instruction = instruction;
  options.pictures = rules.pictures;
  options.messages_before = state.past.messages;
  return options;
}

model_context context_of(const session_state& state, const session_rules& rules,
                         std::string_view instruction,
                         const std::vector<const turn_record*>& turns) {
  auto options = context_rules(state, rules, instruction);
  if (!turns.empty() && !turns.back()->remembered_json.empty()) {
    options.remembered = parse_remembered(turns.back()->remembered_json);
    options.remembered_tokens_max = remembered_frame_tokens + rules.recall_tokens * 2;
  }
  return build_context(turns, options);
}

// Whether what the model has just refused as too large can be asked with less.
bool session_step::can_be_smaller() {
  constexpr std::uint32_t overflows_max = 8;  // each a third smaller: 4 % of the first
  const auto& request = s.call->request;
  if (s.call->overflows + 1 >= overflows_max) return false;
  auto before = std::exchange(
      s.too_large, refused_context{request.profile, request.model, request.prompt_tokens_estimate});
  const auto context = current_context(s, rules, request.instruction);
  s.too_large = std::move(before);
  return context.tokens < request.prompt_tokens_estimate / 10 * 9;
}

model_context current_context(const session_state& state, const session_rules& rules,
                              std::string_view instruction) {
  std::vector<const turn_record*> turns;
  for (const auto& turn : state.turns) turns.push_back(&turn);
  return context_of(state, rules, instruction, turns);
}

}  // namespace soma
