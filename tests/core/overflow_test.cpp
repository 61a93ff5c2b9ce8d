// A session whose model's context is too small goes on with what fits.
#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "core/session_core.hpp"

using namespace soma;

namespace {

// A model that takes a number of tokens, by our own estimate, and a session that talks to it.
struct small_model {
  explicit small_model(std::uint64_t takes) : takes_(takes) {
    state.key = {tenant_id{"t"}, session_id{"s"}};
    rules.model = "m";
    rules.max_attempts = 1;
    give(input::activated{1, {1, 2}});
    give(input::commanded{{}, input::open{"", "title"}});
  }

  // The answer of the turn's last message; how often the model was asked.
  std::string say(const std::string& text) {
    asked = 0;
    input::message message;
    message.text = text;
    auto actions = give(input::commanded{{}, message});
    while (const auto* call = call_in(actions)) {
      ++asked;
      last = call->context;
      REQUIRE(asked < 20);
      if (call->context.tokens > takes_) {
        input::llm_failed failed;
        failed.invocation_id = call->invocation_id;
        failed.what = {std::string(codes::llm_context_exceeded), "too large", false};
        failed.context_window = told;
        actions = give(failed);
      } else {
        input::llm_done done;
        done.invocation_id = call->invocation_id;
        done.finish_reason = "stop";
        done.last_text = "fine";
        actions = give(done);
      }
    }
    const auto& lines = state.turns.back().lines;
    return lines.empty() ? "" : lines.back().text;
  }

  session_actions give(const session_input& in) { return step(state, rules, 1000, in); }

  static const action::start_llm* call_in(const session_actions& actions) {
    static action::start_llm kept;
    for (const auto& one : actions.then)
      if (const auto* call = std::get_if<action::start_llm>(&one)) {
        kept = *call;
        return &kept;
      }
    return nullptr;
  }

  session_state state;
  session_rules rules;
  std::uint64_t takes_, told = 0;
  int asked = 0;
  model_context last;
};

const std::string page(1000, 'w');  // 254 tokens, with what surrounds it

}  // namespace

TEST_CASE("session: a request that is too large is asked again with less, and so are the next") {
  small_model m(1000);
  for (int n = 0; n < 3; ++n) CHECK(m.say(page) == "fine");
  CHECK(m.asked == 1);
  CHECK(m.say(page) == "fine");  // the fourth page is too much
  CHECK(m.asked == 2);
  CHECK(m.last.left_out_messages > 0);
  CHECK(m.say("short") == "fine");
  CHECK(m.asked == 1);  // what was learned is kept in mind
  // Another model is asked for all of it.
  m.rules.model = "larger";
  m.takes_ = 100'000;
  CHECK(m.say("now") == "fine");
  CHECK(m.last.left_out_messages == 0);
}

TEST_CASE("session: a context that the provider names is kept to at once") {
  small_model m(300);
  m.told = 400;
  m.takes_ = 100'000;
  for (int n = 0; n < 20; ++n) m.say(page);
  m.takes_ = 300;
  CHECK(m.say("short") == "fine");
  CHECK(m.asked == 2);
  CHECK(m.last.tokens <= 300);
}

TEST_CASE("session: one message that no context holds ends its turn, and the next is answered") {
  small_model m(200);
  CHECK(m.say("hello") == "fine");
  CHECK(m.say(page + page) == "");
  CHECK(m.asked <= 2);
  CHECK(m.say("are you there?") == "fine");
  // A restart folds the same from the log's events: nothing but the state's own members counts.
  CHECK(m.state.too_large);
}
