// A turn where policy cannot be asked: it ends, and says that another try may do.
#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "core/session_core.hpp"
#include "support/result_text.hpp"

using namespace soma;

namespace {

struct talk {
  talk() {
    state.key = {tenant_id("t"), session_id("s")};
    take(step(state, rules, 1, input::activated{1, {1, 2}}));
    input::commanded in;
    in.what = input::message{"hello", {}, input::open{}, {}};
    take(step(state, rules, 1, in));
  }
  void take(session_actions actions) {
    for (const auto& e : actions.append) log.push_back(e);
    for (const auto& one : actions.now)
      if (const auto* tool = std::get_if<action::cancel_tool>(&one))
        cancelled.push_back(tool->tool_call_id);
    started = 0;
    for (const auto& one : actions.then) started += std::holds_alternative<action::start_llm>(one);
  }
  void calls_tools(std::size_t count) {
    input::llm_done done;
    done.invocation_id = state.call->request.invocation_id;
    done.finish_reason = "tool_calls";
    for (std::size_t i = 0; i < count; ++i)
      done.tool_calls.push_back({{}, "p" + std::to_string(i), "echo", "{}"});
    take(step(state, rules, 1, done));
  }
  void tool_ends(std::size_t which, std::optional<failure> why) {
    input::tool_done done;
    done.tool_call_id = all<body::tool_call>()[which].tool_call_id;
    done.status = why ? "error" : "success";
    if (!why) done.output_json = "{}";
    done.error = std::move(why);
    take(step(state, rules, 1, done));
  }
  template <class Body>
  std::vector<Body> all() const {
    std::vector<Body> out;
    for (const auto& e : log)
      if (const auto* b = std::get_if<Body>(&e.body)) out.push_back(*b);
    return out;
  }

  session_rules rules;
  session_state state;
  std::vector<event> log;
  std::vector<std::string> cancelled;
  int started = 0;
};

const failure away{std::string(codes::dependency_unavailable), "could not be asked", true};

}  // namespace

TEST_CASE("away: a tool that policy could not be asked about ends the turn, others with it") {
  talk t;
  t.calls_tools(3);
  t.tool_ends(0, {});
  t.tool_ends(1, away);
  const auto results = t.all<body::tool_result>();
  REQUIRE(results.size() == 3);
  CHECK(results[1].error->code == codes::dependency_unavailable);
  CHECK(results[2].status == "cancelled");
  CHECK(t.cancelled == std::vector<std::string>{results[2].tool_call_id});
  const auto errors = t.all<body::error>();
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].what.code == codes::dependency_unavailable);
  CHECK(errors[0].what.retryable);
  CHECK(t.all<body::message_assistant>().back().final);
  CHECK(t.started == 0);
  CHECK_FALSE(t.state.turn);
  // The next message has its turn, and so has a retry.
  input::commanded in;
  in.what = input::message{"again", {}, input::open{}, {}};
  t.take(step(t.state, t.rules, 1, in));
  CHECK(t.started == 1);
}

TEST_CASE("away: what else goes wrong with a tool is the model's to read") {
  talk t;
  t.calls_tools(1);
  t.tool_ends(0, failure{std::string(codes::tool_failed), "it broke", true});
  CHECK(t.all<body::error>().empty());
  CHECK(t.started == 1);
}

TEST_CASE("away: a model call that policy could not be asked about is not tried again") {
  talk t;
  input::llm_failed failed;
  failed.invocation_id = t.state.call->request.invocation_id;
  failed.what = away;
  t.take(step(t.state, t.rules, 1, failed));
  CHECK(t.started == 0);
  REQUIRE(t.all<body::llm_complete>().size() == 1);
  CHECK(t.all<body::llm_complete>()[0].finish_reason == "error");
  REQUIRE(t.all<body::error>().size() == 1);
  CHECK(t.all<body::error>()[0].what.retryable);
}
