// Random schedules against the design's invariants. SOMA_SEEDS sets how many, SOMA_SEED replays
// one:
//   SOMA_SEED=4711 build/dev/bin/simulation_tests
#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

#include "session_world.hpp"

using namespace soma;
using namespace soma::testing;

namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// The first seed that breaks an invariant, or 0.
std::uint64_t first_broken(const step_function& core, std::uint64_t from, std::uint64_t count,
                           std::string& why) {
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    try {
      session_world world(seed, core);
      world.run(150);
    } catch (const violation& broken) {
      why = broken.what();
      return seed;
    }
  }
  return 0;
}

}  // namespace

TEST_CASE("session core: keeps every invariant under crashes, failures and reordering") {
  const auto one = number_from_environment("SOMA_SEED", 0);
  const auto count = one ? 1 : number_from_environment("SOMA_SEEDS", 3000);
  std::string why;
  const auto broken = first_broken(&step, one ? one : 1, count, why);
  INFO("replay with SOMA_SEED=" << broken << ": " << why);
  CHECK(broken == 0);
}

TEST_CASE("simulation: reaches crashes and long histories") {
  std::uint64_t crashes = 0, events = 0, let_go = 0, from_snapshot = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    session_world world(seed, &step);
    world.run(150);
    crashes += world.crashes();
    events += world.events();
    let_go += world.messages_let_go();
    from_snapshot += world.from_snapshot();
  }
  CHECK(let_go > 100);
  CHECK(from_snapshot > 50);
  CHECK(crashes > 100);
  CHECK(events > 2000);
}

// Each planted bug is a mistake one could make in the core; the simulation has to see it.
TEST_CASE("simulation: catches an answer given before the append is durable") {
  const step_function bug = [](session_state& s, const session_rules& r, std::int64_t now,
                               const session_input& in) {
    auto actions = step(s, r, now, in);
    actions.now.insert(actions.now.end(), actions.then.begin(), actions.then.end());
    actions.then.clear();
    return actions;
  };
  std::string why;
  CHECK(first_broken(bug, 1, 200, why) != 0);
}

TEST_CASE("simulation: catches a snapshot that lacks something") {
  const step_function bug = [](session_state& s, const session_rules& r, std::int64_t now,
                               const session_input& in) {
    // As if it had been forgotten by what the session was activated from.
    if (std::holds_alternative<input::activated>(in) && s.turn) s.turn->tool_calls = 0;
    return step(s, r, now, in);
  };
  std::string why;
  CHECK(first_broken(bug, 1, 2000, why) != 0);
}

TEST_CASE("simulation: catches a resumed answer whose offsets forget the cut prefix") {
  const step_function bug = [](session_state& s, const session_rules& r, std::int64_t now,
                               const session_input& in) {
    if (s.call) s.call->next_offset = s.call->text.size();
    return step(s, r, now, in);
  };
  std::string why;
  CHECK(first_broken(bug, 1, 2000, why) != 0);
}

TEST_CASE("simulation: catches a store that puts a key which is there already") {
  bool caught = false;
  for (std::uint64_t seed = 1; seed <= 200 && !caught; ++seed) {
    try {
      session_world(seed, &step, {.overwrites_keys = true}).run(150);
    } catch (const violation&) {
      caught = true;
    }
  }
  CHECK(caught);
}

TEST_CASE("simulation: catches a recovery that forgets the interrupted model call") {
  const step_function bug = [](session_state& s, const session_rules& r, std::int64_t now,
                               const session_input& in) {
    if (std::holds_alternative<input::activated>(in)) s.call.reset();
    return step(s, r, now, in);
  };
  std::string why;
  CHECK(first_broken(bug, 1, 200, why) != 0);
}

TEST_CASE("simulation: catches a turn whose model is told what was recalled once, and not again") {
  const step_function bug = [](session_state& s, const session_rules& r, std::int64_t now,
                               const session_input& in) {
    auto actions = step(s, r, now, in);
    for (auto& turn : s.turns) turn.remembered_json.clear();
    return actions;
  };
  std::string why;
  CHECK(first_broken(bug, 1, 200, why) != 0);
}

TEST_CASE("simulation: catches a message that is not remembered in its own step") {
  const step_function bug = [](session_state& s, const session_rules& r, std::int64_t now,
                               const session_input& in) {
    auto quiet = r;
    quiet.remember = r.remember && !std::holds_alternative<input::llm_done>(in);
    return step(s, quiet, now, in);
  };
  std::string why;
  CHECK(first_broken(bug, 1, 200, why) != 0);
}

TEST_CASE("simulation: catches a tool result that answers another call") {
  const step_function bug = [](session_state& s, const session_rules& r, std::int64_t now,
                               const session_input& in) {
    auto actions = step(s, r, now, in);
    if (const auto* done = std::get_if<input::tool_done>(&in))
      for (auto& e : actions.append)
        if (auto* result = std::get_if<body::tool_result>(&e.body);
            result && result->tool_call_id == done->tool_call_id)
          result->tool_call_id = "another";
    return actions;
  };
  std::string why;
  CHECK(first_broken(bug, 1, 200, why) != 0);
}

TEST_CASE("simulation: catches an event that cannot be read back") {
  const step_function bug = [](session_state& s, const session_rules& r, std::int64_t now,
                               const session_input& in) {
    auto actions = step(s, r, now, in);
    if (const auto* done = std::get_if<input::tool_done>(&in))
      for (auto& e : actions.append)
        if (auto* result = std::get_if<body::tool_result>(&e.body);
            result && result->tool_call_id == done->tool_call_id)
          result->output_json = done->output_json;  // as it came in
    return actions;
  };
  std::string why;
  CHECK(first_broken(bug, 1, 200, why) != 0);
}

namespace {

// A turn as far as its open model call, whose id it gives.
std::string begin_turn(session_state& s, const session_rules& rules) {
  s = session_state{};
  s.key = {tenant_id("t"), session_id("s")};
  step(s, rules, 1, input::activated{1, {1, 2}});
  input::commanded say;
  say.what = input::message{"hello", {}, input::open{}, {}};
  step(s, rules, 1, say);
  return s.call->request.invocation_id;
}

std::size_t largest(const session_actions& actions) {
  std::size_t bytes = 0;
  for (const auto& e : actions.append) bytes = std::max(bytes, encode(e).size());
  return bytes;
}

}  // namespace

TEST_CASE(
    "session core: whatever a model says is events that a log takes, at the largest setting") {
  constexpr std::size_t log_takes = 900 * 1024, largest_setting = 786'432;
  session_rules rules;
  rules.event_text_bytes_max = largest_setting;
  session_state s;
  std::size_t bytes = 0;
  // Every byte becomes six as JSON; the last piece passes the bound by most of itself.
  const std::string piece(64 * 1024, '\x01');
  const auto speak = [&](const std::string& invocation, std::size_t pieces) {
    for (std::size_t n = 0; n < pieces && s.call; ++n)
      bytes = std::max(bytes, largest(step(s, rules, 1, input::llm_piece{invocation, piece})));
  };
  const auto done_with = [&](std::size_t inputs, std::size_t state, std::string last = {}) {
    input::llm_done done;
    done.invocation_id = begin_turn(s, rules);
    speak(done.invocation_id, 1);
    done.last_text = std::move(last);
    done.finish_reason = "stop";
    if (inputs > 0)
      done.tool_calls.push_back({{}, "p", "echo", '"' + std::string(inputs, 'x') + '"'});
    if (state > 0) done.provider_state_json = '"' + std::string(state, 'x') + '"';
    bytes = std::max(bytes, largest(step(s, rules, 1, done)));
  };
  speak(begin_turn(s, rules), 10);
  CHECK_FALSE(s.call);  // ended with its length
  done_with(390'000, 0);
  done_with(0, 256 * 1024);
  done_with(200'000, 190'000);
  done_with(0, 256 * 1024, std::string(64 * 1024, '\x02'));
  done_with(390'000, 0, std::string(64 * 1024, '\x02'));
  CHECK(bytes > 600'000);
  CHECK(bytes <= log_takes);
}
