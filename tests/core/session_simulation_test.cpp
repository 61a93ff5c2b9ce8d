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
  std::uint64_t crashes = 0, events = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    session_world world(seed, &step);
    world.run(150);
    crashes += world.crashes();
    events += world.events();
  }
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

TEST_CASE("simulation: catches a resumed answer whose offsets forget the cut prefix") {
  const step_function bug = [](session_state& s, const session_rules& r, std::int64_t now,
                               const session_input& in) {
    if (s.call) s.call->next_offset = s.call->text.size();
    return step(s, r, now, in);
  };
  std::string why;
  CHECK(first_broken(bug, 1, 2000, why) != 0);
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
