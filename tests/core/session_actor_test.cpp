// What the caller was at the door stands in his messages and in the calls that follow from them, is
// there after a restart, and goes into no copy.
#include <doctest/doctest.h>

#include <algorithm>

#include "core/session_copy.hpp"
#include "core/session_core.hpp"
#include "core/session_snapshot.hpp"
#include "support/result_text.hpp"

using namespace soma;

namespace {

const std::string actor = R"({"role":"admin","groups":["staff"],"key_id":"k","door":"http"})";

struct told_session {
  told_session() {
    state.key = {tenant_id("t"), session_id("s")};
    take(step(state, rules, 1, input::activated{1, {1, 2}}));
    ask(input::open{});
  }
  void take(session_actions actions) {
    for (const auto& e : actions.append) log.push_back(e);
    for (const auto& one : actions.then)
      if (const auto* start = std::get_if<action::start_tool>(&one)) started.push_back(start->from);
  }
  void ask(input::command what) {
    input::commanded in;
    in.who.from = {"ann", "r", "", actor};
    in.what = std::move(what);
    take(step(state, rules, 1, in));
  }
  session_state folded() const {
    session_state s;
    s.key = state.key;
    for (const auto& e : log) apply(s, decode(encode(e)).value());
    return s;
  }

  session_state state;
  session_rules rules;
  std::vector<event> log;
  std::vector<origin> started;
};

std::string same(std::string_view id) {
  return std::string(id);
}

}  // namespace

TEST_CASE("actor: stands in what a caller says and in calls of tools, and in nothing else") {
  told_session s;
  s.ask(input::tool_request{"echo", "{}"});
  input::message said;
  said.text = "hello";
  s.ask(std::move(said));
  REQUIRE(s.started.size() == 1);
  CHECK(s.started.front().actor_json == actor);
  std::size_t with = 0;
  for (const auto& e : s.log) {
    const bool has = e.type() == event_type::message_user || e.type() == event_type::tool_call;
    CHECK(e.meta.actor_json == (has ? actor : ""));
    CHECK(decode(encode(e)).value().meta.actor_json == e.meta.actor_json);
    with += has;
  }
  CHECK(with == 2);
  const auto again = s.folded();
  REQUIRE(again.tools.size() == 1);
  CHECK(again.tools.front().from.actor_json == actor);
  REQUIRE(again.turns.size() + again.queue.size() == 1);
  const auto& turn = again.turns.empty() ? again.queue.front() : again.turns.front();
  CHECK(turn.from.actor_json == actor);
  const auto kept = decode_snapshot(encode_snapshot(again), no_turns_bound);
  REQUIRE(kept);
  CHECK(kept->tools.front().from.actor_json == actor);
}

TEST_CASE("actor: events of before have none, and what looks like one elsewhere is none") {
  const auto read = decode(
      R"({"version":"v1","meta":{"event_id":"1.1","tenant_id":"t","user_id":"\"actor\":{","session_id":"s","created_at":"2026-01-01T00:00:00.000Z"},"type":"message.user","payload":{"message_id":"m","text":"\"actor\":{\"role\":\"admin\"}"}})");
  REQUIRE(read);
  CHECK(read->meta.actor_json.empty());
}

TEST_CASE("actor: no copy of a session has what others were let in for") {
  told_session s;
  s.ask(input::tool_request{"echo", "{}"});
  input::message said;
  said.text = "hello";
  s.ask(std::move(said));
  copy_options options;
  options.to = {tenant_id("t"), session_id("c")};
  options.rename = &same;
  options.opened_by = {"bob", "", "", R"({"role":"user"})"};
  session_copy copy(options);
  for (const auto& e : s.log) CHECK(copy.add(e).meta.actor_json.empty());
  for (const auto& e : copy.close(1)) CHECK(e.meta.actor_json.empty());
}
