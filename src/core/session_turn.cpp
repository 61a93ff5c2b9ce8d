#include <algorithm>

#include "core/codes.hpp"
#include "core/json_proof.hpp"
#include "core/json_writer.hpp"
#include "core/session_step.hpp"

namespace soma {
namespace {

constexpr std::string_view white_space = " \t\r\n";
constexpr std::size_t call_frame_bytes = 160;  // names of members and our own id of a tool call

// A prefix for the model must not end in white space: several providers refuse it or drop it.
std::size_t trimmed_size(const std::string& text) {
  const auto last = text.find_last_not_of(white_space);
  return last == std::string::npos ? 0 : last + 1;
}

// What is no JSON the log can keep becomes text inside one object, which the tool refuses.
std::string readable_inputs(std::string inputs_json) {
  if (inputs_json.empty()) return "{}";
  if (is_raw_json(inputs_json)) return inputs_json;
  std::string out;
  json_writer(out).begin_object().field("_invalid_arguments", inputs_json).end_object();
  return out;
}

}  // namespace

origin session_step::turn_origin(std::string_view turn_id) const {
  const auto* turn = s.find_turn(turn_id);
  return turn ? turn->from : origin{};
}

bool session_step::has_tools(std::string_view turn_id) const {
  return std::any_of(s.tools.begin(), s.tools.end(),
                     [&](const open_tool& t) { return t.call.turn_id == turn_id; });
}

bool session_step::turn_has_tools() const {
  return s.turn && has_tools(s.turn->turn_id);
}

event_id session_step::call_tool(body::tool_call call, const origin& from, std::string_view key) {
  const auto id = emit(call, from, key);
  out.then.push_back(action::start_tool{std::move(call), from});
  return id;
}

void session_step::arm_turn_deadline() {
  out.then.push_back(action::arm_deadline{s.turn->turn_id, rules.timeout_s});
}

std::vector<const turn_record*> session_step::turns_with(std::string_view turn_id) const {
  std::vector<const turn_record*> turns;
  for (const auto& turn : s.turns) turns.push_back(&turn);
  if (!s.queue.empty() && s.queue.front().turn_id == turn_id) turns.push_back(&s.queue.front());
  return turns;
}

void session_step::advance(std::uint32_t delay_ms, const std::optional<failure>& last_failure) {
  if (s.closed || s.paused || s.call || turn_has_tools()) return;
  if (s.turn) {
    question q{s.turn->turn_id, s.turn->instruction, {}, s.turn->step, delay_ms, last_failure};
    if (s.unanswered) return ask_again(q);
    ++q.step;
    return ask(q);
  }
  if (s.recalling) {
    if (s.recalling->asked) return;
    const question q{
        s.recalling->turn_id, s.recalling->instruction, s.recalling->supersedes, 1, 0, {}};
    s.recalling.reset();
    begin(q);
    return;
  }
  // What is attached is read first.
  if (!s.queue.empty() && !has_tools(s.queue.front().turn_id))
    begin({s.queue.front().turn_id, {}, {}, 1, 0, {}});
}

void session_step::ask(const question& q) {
  const bool begins = !s.turn;
  body::llm_request request;
  request.invocation_id = s.ids.next();
  request.message_id = s.ids.next();
  request.turn_id = q.turn_id;
  request.profile = rules.profile;
  request.model = rules.model;
  request.provider = rules.provider;
  request.step = q.step;
  request.instruction = q.instruction;
  request.supersedes = q.supersedes;

  // What the context will be once this request is folded: its turn started, a superseded answer
  // gone.
  auto turns = turns_with(q.turn_id);
  turn_record unanswered_turn;
  if (!q.supersedes.empty()) {
    unanswered_turn = *turns.back();
    drop_answers(unanswered_turn);
    turns.back() = &unanswered_turn;
  }
  auto context = context_of(s, rules, q.instruction, turns);
  request.context_from_turn = context.from_turn;
  request.context_turns = context.turns;
  request.prompt_tokens_estimate = context.tokens;

  const origin from = turns.back()->from;
  emit(request, from);
  if (begins) arm_turn_deadline();
  out.then.push_back(action::start_llm{request.invocation_id,
                                       request.message_id,
                                       request.turn_id,
                                       std::move(context),
                                       {},
                                       q.step < rules.max_steps,
                                       q.delay_ms,
                                       from});
}

void session_step::ask_again(const question& q) {
  const unanswered_call last = *s.unanswered;
  const bool same_model = last.request.profile == rules.profile &&
                          last.request.model == rules.model &&
                          last.request.provider == rules.provider;
  const auto keep = trimmed_size(last.text);
  const bool resume =
      rules.prefill && same_model && keep > 0 && !last.thinking_open && !s.prefill_refused;
  if (last.next_fruitless(resume) >= rules.max_attempts) {
    end_turn("interrupted", q.last_failure ? q.last_failure
                                           : failure{std::string(codes::llm_interrupted),
                                                     "the answer was interrupted too often", true});
    return advance();
  }

  body::llm_request request = last.request;
  request.invocation_id = s.ids.next();
  request.attempt = last.request.attempt + 1;
  request.profile = rules.profile;
  request.model = rules.model;
  request.provider = rules.provider;
  request.supersedes.clear();
  request.resume_offset.reset();
  if (resume) request.resume_offset = keep;

  auto context = current_context(s, rules, q.instruction);
  request.context_from_turn = context.from_turn;
  request.context_turns = context.turns;
  request.prompt_tokens_estimate = context.tokens;
  const origin from = turn_origin(q.turn_id);
  emit(request, from);
  if (!resume && last.shown)
    emit(body::llm_restart{request.message_id, request.turn_id, request.attempt,
                           s.prefill_refused ? "prefix_refused" : "interrupted"},
         from);
  out.then.push_back(action::start_llm{request.invocation_id, request.message_id, request.turn_id,
                                       std::move(context), last.text.substr(0, resume ? keep : 0),
                                       q.step < rules.max_steps, q.delay_ms, from});
}

bool session_step::add_piece(std::string_view text, bool thinking) {
  bool whole = true;
  if (!thinking) {
    const auto room =
        rules.event_text_bytes_max - std::min(rules.event_text_bytes_max, s.call->escaped_bytes);
    const auto fitting = json_escaped_size(text) <= room ? text : json_fitting(text, room);
    whole = fitting.size() == text.size();
    text = fitting;
  }
  if (text.empty()) return whole;
  const auto offset = thinking ? s.call->thinking_bytes : s.call->next_offset;
  emit(body::llm_delta{s.call->request.message_id, s.call->request.turn_id, offset,
                       std::string(text), thinking},
       turn_origin(s.call->request.turn_id));
  return whole;
}

void session_step::append_answer(std::string_view text, std::vector<tool_invocation> calls,
                                 std::string provider_state_json, bool final) {
  const auto& request = s.call->request;
  const origin from = turn_origin(request.turn_id);
  emit(body::message_assistant{request.message_id, request.turn_id, std::string(text),
                               std::move(calls), std::move(provider_state_json), final},
       from);
  if (final) remember(s.call->request.message_id, s.call->request.turn_id, text, from);
}

void session_step::append_complete(std::string_view finish_reason,
                                   const std::optional<failure>& why, const soma::usage& used,
                                   std::uint64_t latency_ms, std::uint64_t first_token_ms) {
  const auto& request = s.call->request;
  const origin from = turn_origin(request.turn_id);
  emit(body::llm_complete{request.invocation_id, request.message_id, request.turn_id,
                          std::string(finish_reason), used, latency_ms, first_token_ms, why,
                          s.call->thinking_bytes},
       from);
}

void session_step::append_state(bool paused, std::string title, const origin& from) {
  emit(body::session_state{paused, std::move(title), {}}, from);
}

void session_step::finish_call(const input::llm_done& in) {
  auto calls = in.tool_calls;
  for (auto& call : calls) call.inputs_json = readable_inputs(std::move(call.inputs_json));
  // What cannot be read back is not kept: the provider is then sent none.
  auto state = is_raw_json(in.provider_state_json) ? in.provider_state_json : std::string();
  std::optional<failure> refused;
  // As one event they have to fit beside the text; the provider's state goes before the calls.
  const auto room = event_room_bytes - std::min(event_room_bytes, s.call->escaped_bytes);
  std::size_t input_bytes = 0;
  for (const auto& call : calls)
    input_bytes += call.inputs_json.size() + json_escaped_size(call.tool_id) +
                   json_escaped_size(call.provider_call_id) + call_frame_bytes;
  if (input_bytes + state.size() > room) state.clear();
  if (!calls.empty() &&
      (s.call->request.step >= rules.max_steps ||
       s.turn->tool_calls + calls.size() > rules.max_tool_calls ||
       input_bytes + state.size() > rules.event_text_bytes_max / 2 || input_bytes > room)) {
    refused =
        failure{std::string(codes::turn_limit), "the turn asked for too many tool calls", true};
    calls.clear();
  }
  for (auto& call : calls) call.tool_call_id = s.ids.next();
  const bool final = calls.empty();
  const std::string turn_id = s.call->request.turn_id;
  const origin from = turn_origin(turn_id);
  append_answer(s.call->text, calls, state, final);
  for (const auto& call : calls)
    call_tool({call.tool_call_id, s.call->request.message_id, turn_id, call.provider_call_id,
               call.tool_id, call.inputs_json, "model"},
              from);
  // A stream that called tools ends with tool_calls whatever the provider named it.
  append_complete(refused  ? "error"
                  : !final ? "tool_calls"
                           : in.finish_reason,
                  refused, in.usage, in.latency_ms, in.first_token_ms);
  if (refused) emit(body::error{*refused, from.request_id, turn_id}, from);
  advance();
}

void session_step::end_tool(const open_tool& tool, std::string_view status) {
  const body::tool_call call = tool.call;
  out.now.push_back(action::cancel_tool{call.tool_call_id});
  body::tool_result done;
  done.tool_call_id = call.tool_call_id;
  done.turn_id = call.turn_id;
  done.status = status;
  done.error = failure{std::string(codes::tool_cancelled), "the call was stopped", false};
  done.duration_ms =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, now_ms - tool.started_at_ms));
  const origin from = tool.from;
  emit(std::move(done), from);
}

void session_step::end_turn(std::string_view finish_reason, const std::optional<failure>& why,
                            bool cancel_running) {
  const std::string turn_id = s.turn->turn_id;
  const origin from = turn_origin(turn_id);
  const auto tools = s.tools;
  for (const auto& tool : tools)
    if (tool.call.turn_id == turn_id) end_tool(tool, "cancelled");
  if (s.call) {
    if (cancel_running) out.now.push_back(action::cancel_llm{s.call->request.invocation_id});
    append_answer(s.call->text, {}, {}, true);
    append_complete(finish_reason, why);
  } else {
    // No model call is open: the turn's last message stands for its end.
    const bool unanswered = s.unanswered.has_value();
    body::message_assistant last;
    last.message_id = unanswered ? s.unanswered->request.message_id : s.ids.next();
    last.turn_id = turn_id;
    last.text = unanswered ? s.unanswered->text : std::string();
    last.final = true;
    const auto said = last.text;
    const auto message_id = last.message_id;
    emit(std::move(last), from);
    remember(message_id, turn_id, said, from);
  }
  if (why) emit(body::error{*why, from.request_id, turn_id}, from);
}

}  // namespace soma
