#include "core/session_copy.hpp"

#include <algorithm>
#include <utility>

#include "core/codes.hpp"
#include "core/feedback.hpp"
#include "core/shown_text.hpp"

namespace soma {
namespace {

struct renamer {
  const copy_options& options;

  void id(std::string& text) const {
    if (!text.empty()) text = options.rename(text);
  }

  void operator()(body::session_open& b) const {
    b.title = plain_line(b.title);
    if (options.forked_from_session.empty()) return;
    b.forked_from_session = options.forked_from_session;
    b.forked_from_event = options.forked_from_event;
  }
  void operator()(body::message_user& b) const {
    id(b.message_id);
    id(b.turn_id);
  }
  void operator()(body::memory_recall& b) const { id(b.turn_id); }
  void operator()(body::llm_request& b) const {
    id(b.invocation_id);
    id(b.message_id);
    id(b.turn_id);
    id(b.context_from_turn);
    id(b.supersedes);
  }
  void operator()(body::llm_delta& b) const {
    id(b.message_id);
    id(b.turn_id);
  }
  void operator()(body::llm_complete& b) const {
    id(b.invocation_id);
    id(b.message_id);
    id(b.turn_id);
  }
  void operator()(body::llm_restart& b) const {
    id(b.message_id);
    id(b.turn_id);
  }
  void operator()(body::message_assistant& b) const {
    id(b.message_id);
    id(b.turn_id);
    for (auto& call : b.tool_calls) id(call.tool_call_id);
  }
  void operator()(body::tool_call& b) const {
    id(b.tool_call_id);
    id(b.message_id);
    id(b.turn_id);
  }
  void operator()(body::tool_progress& b) const {
    id(b.tool_call_id);
    id(b.turn_id);
  }
  void operator()(body::tool_result& b) const {
    id(b.tool_call_id);
    id(b.turn_id);
  }
  void operator()(body::memory_write& b) const {
    id(b.message_id);
    id(b.tool_call_id);
    id(b.turn_id);
  }
  void operator()(body::session_state& b) const {
    b.title = plain_line(b.title);
    b.shared.reset();  // a copy is its maker's alone
  }
  void operator()(body::app_event& b) const {
    if (b.name == feedback_event) b.data_json = feedback_of_copy(b.data_json, options.rename);
  }
  void operator()(body::error& b) const { id(b.turn_id); }
  void operator()(body::session_close&) const {}
};

body::message_assistant final_message(std::string message_id, std::string turn_id,
                                      std::string text) {
  body::message_assistant last;
  last.message_id = std::move(message_id);
  last.turn_id = std::move(turn_id);
  last.text = std::move(text);
  last.final = true;
  return last;
}

}  // namespace

session_copy::session_copy(copy_options options) : options_(std::move(options)) {
  state_.key = options_.to;
  state_.epoch = options_.epoch;
}

event session_copy::add(event source) {
  source.meta.id = {options_.epoch, state_.seq + 1};
  source.meta.key = options_.to;
  source.meta.idempotency_key.clear();
  source.meta.actor_json.clear();  // nobody may do here what another was let in for
  if (source.type() == event_type::session_open) {
    source.meta.user_id = options_.opened_by.user_id;
    source.meta.request_id = options_.opened_by.request_id;
    source.meta.trace_id = options_.opened_by.trace_id;
    if (options_.opened_at_ms > 0) source.meta.created_at_ms = options_.opened_at_ms;
  }
  if (options_.all_by_opener) source.meta.user_id = options_.opened_by.user_id;
  std::visit(renamer{options_}, source.body);
  apply(state_, source);
  keep_only_open_work(source);
  return source;
}

// What a fold keeps for the model's context is of no use here, and an imported past can be long.
void session_copy::keep_only_open_work(const event& e) {
  if (const auto* said = std::get_if<body::message_assistant>(&e.body)) {
    announced_.clear();
    for (const auto& call : said->tool_calls)
      announced_.push_back({call.tool_call_id, said->message_id, said->turn_id,
                            call.provider_call_id, call.tool_id, call.inputs_json, "model"});
  } else if (const auto* begun = std::get_if<body::tool_call>(&e.body)) {
    std::erase_if(announced_, [&](const body::tool_call& call) {
      return call.tool_call_id == begun->tool_call_id;
    });
  } else if (e.type() == event_type::llm_request) {
    announced_.clear();
  }
  if (!state_.queue.empty()) {
    state_.queue.back().user_text.clear();
    state_.queue.back().attachments.clear();
  }
  if (state_.turns.size() > 1) state_.turns.erase(state_.turns.begin(), state_.turns.end() - 1);
  if (!state_.turns.empty()) state_.turns.back().lines.clear();
}

void session_copy::append(std::vector<event>& out, event_body body, std::string_view turn_id,
                          std::int64_t now_ms) {
  event e;
  e.meta.id = {options_.epoch, state_.seq + 1};
  e.meta.key = options_.to;
  e.meta.created_at_ms = now_ms;
  e.meta.user_id = state_.owner;
  if (const auto* turn = state_.find_turn(turn_id)) {
    e.meta.user_id = turn->from.user_id;
    e.meta.request_id = turn->from.request_id;
    e.meta.trace_id = turn->from.trace_id;
  }
  e.body = std::move(body);
  apply(state_, e);
  out.push_back(std::move(e));
}

std::vector<event> session_copy::close(std::int64_t now_ms) {
  std::vector<event> out;
  // A past that is cut between a message and its calls: a provider refuses calls without an answer.
  if (state_.turn)
    for (auto& call : std::exchange(announced_, {})) {
      const std::string turn_id = call.turn_id;
      append(out, std::move(call), turn_id, now_ms);
    }
  while (!state_.tools.empty()) {
    const auto& call = state_.tools.front().call;
    body::tool_result gone;
    gone.tool_call_id = call.tool_call_id;
    gone.turn_id = call.turn_id;
    gone.status = "interrupted";
    gone.error =
        failure{std::string(codes::tool_interrupted),
                "the past was copied while the tool ran; its answer is not in the copy", false};
    const std::string turn_id = gone.turn_id;
    append(out, std::move(gone), turn_id, now_ms);
  }
  const std::string turn_id = state_.turn ? state_.turn->turn_id : std::string();
  if (state_.call) {
    const body::llm_request request = state_.call->request;
    const bool answered = state_.call->answered;
    if (!answered) {
      auto last = final_message(request.message_id, turn_id, state_.call->text);
      append(out, std::move(last), turn_id, now_ms);
    }
    body::llm_complete complete;
    complete.invocation_id = request.invocation_id;
    complete.message_id = request.message_id;
    complete.turn_id = request.turn_id;
    // An answer that is there is whole: only its end mark lies behind the cut.
    complete.finish_reason = !answered ? "interrupted" : state_.turn ? "tool_calls" : "stop";
    append(out, std::move(complete), request.turn_id, now_ms);
  }
  if (state_.turn) {
    auto last =
        state_.unanswered
            ? final_message(state_.unanswered->request.message_id, turn_id, state_.unanswered->text)
            : final_message(options_.rename("the end of " + turn_id), turn_id, {});
    append(out, std::move(last), turn_id, now_ms);
  }
  // Messages that never ran stay, and wait until someone resumes the session.
  if (!state_.queue.empty() && !state_.paused)
    append(out, body::session_state{true, state_.title, {}}, {}, now_ms);
  return out;
}

}  // namespace soma
