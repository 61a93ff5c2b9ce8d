#include "app/history_walk.hpp"

#include <doctest/doctest.h>

#include "../core/session_world.hpp"
#include "core/codes.hpp"
#include "storage/event_log.hpp"
#include "support/result_text.hpp"

using namespace soma;
using app::history_bounds;
using app::history_walk;

namespace {

const session_key key{tenant_id("t"), session_id("11111111-1111-4111-8111-111111111111")};

std::unique_ptr<storage::event_log> log_of(const std::vector<event>& events) {
  auto log = storage::make_memory_event_log();
  storage::append_op op;
  op.key = key;
  op.info.emplace();
  for (const auto& e : events) {
    op.events.push_back({e.meta.id.seq, e.type(), encode(e)});
    if (e.type() == event_type::message_assistant) op.compact_seq = e.meta.id.seq;
  }
  REQUIRE(log->commit({&op, 1}).front());
  return log;
}

// What the fold of the whole log says.
std::string whole(const std::vector<event>& events) {
  session_state state;
  for (const auto& e : events) apply(state, e);
  std::string out;
  const auto say = [&](std::string_view who, std::string_view text) {
    out.append("**").append(who).append("**\n\n").append(text).append("\n\n");
  };
  const auto tell = [&](const turn_record& turn) {
    say("User", turn.user_text);
    for (const auto& line : turn.lines) {
      if (!line.tool_call_id.empty())
        say("Tool", "```json\n" + line.text + "\n```");
      else if (!line.text.empty())
        say("Assistant", line.text);
      for (const auto& call : line.tool_calls)
        say("Tool call", "`" + call.tool_id + "` `" + call.inputs_json + "`");
    }
  };
  for (const auto& turn : state.turns) tell(turn);
  if (state.call && !state.call->text.empty()) say("Assistant", state.call->text + " …");
  for (const auto& turn : state.queue) tell(turn);
  return out;
}

struct walked {
  std::string text;
  std::size_t longest = 0;  // piece
};

walked walk(const storage::session_log& log, const history_bounds& bounds) {
  walked out;
  history_walk steps(log, key, *log.head(key), bounds);
  while (!steps.over()) {
    auto piece = steps.step();
    REQUIRE(piece);
    out.longest = std::max(out.longest, piece->size());
    out.text += *piece;
  }
  return out;
}

// So small that everything is put off that can be.
history_bounds tiny() {
  history_bounds bounds;
  bounds.page_bytes = 1;
  bounds.lines_bytes = 1;
  bounds.queued_bytes = 1;
  bounds.queued_max = 1;
  bounds.ahead_events = 2;
  return bounds;
}

struct script {
  std::vector<event> events;

  event& add(event_body body) {
    event e;
    e.meta.id = {1, events.size() + 1};
    e.meta.key = key;
    e.body = std::move(body);
    return events.emplace_back(std::move(e));
  }
  void ask(const std::string& turn, const std::string& message,
           const std::string& supersedes = {}) {
    body::llm_request request;
    request.invocation_id = "i" + message;
    request.message_id = message;
    request.turn_id = turn;
    request.supersedes = supersedes;
    add(request);
  }
  void answer(const std::string& turn, const std::string& message, std::string text,
              bool final = true) {
    add(body::message_assistant{message, turn, std::move(text), {}, {}, final});
    body::llm_complete complete;
    complete.invocation_id = "i" + message;
    complete.message_id = message;
    complete.turn_id = turn;
    complete.finish_reason = "stop";
    add(complete);
  }
};

}  // namespace

TEST_CASE("history: what is told piece by piece is what the fold of the whole log says") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    testing::session_world world(seed, step);
    world.run(120);
    std::vector<event> events;
    for (const auto& line : world.log()) events.push_back(*decode(line));
    if (events.empty() || events.front().meta.id.seq != 1) continue;
    CAPTURE(seed);
    const auto log = log_of(events);
    const auto expected = whole(events);
    CHECK(walk(*log, {}).text == expected);
    CHECK(walk(*log, tiny()).text == expected);
  }
}

TEST_CASE("history: answers that a retry replaced are not told, however long the turn is") {
  script s;
  s.add(body::session_open{"", "", "", "1"});
  for (const std::string turn : {"one", "two"}) {
    s.add(body::message_user{turn, turn, "ask " + turn, {}});
    s.ask(turn, turn + "a");
    for (int n = 0; n < 20; ++n) s.answer(turn, turn + "a", "gone " + std::to_string(n), n == 19);
    for (int n = 0; n < 3; ++n) s.add(body::app_event{"noise", "{}"});
    s.ask(turn, turn + "b", turn + "a");
    for (int n = 0; n < 20; ++n) {
      s.answer(turn, turn + "b", "kept " + std::to_string(n), n == 19);
      if (n < 19) s.ask(turn, turn + "b");
    }
  }
  const auto log = log_of(s.events);
  const auto told = walk(*log, tiny());
  CHECK(told.text == whole(s.events));
  CHECK(told.text.find("gone") == std::string::npos);
  CHECK(told.longest < 100);
}

TEST_CASE("history: no piece grows with the session, one turn and all that waits included") {
  script s;
  s.add(body::session_open{"", "", "", "1"});
  const std::string text(1000, 'x');
  s.add(body::message_user{"long", "long", "go", {}});
  s.ask("long", "m");
  for (int n = 0; n < 300; ++n) s.answer("long", "m", text, false);
  for (int n = 0; n < 300; ++n)
    s.add(body::message_user{"w" + std::to_string(n), "w" + std::to_string(n), text, {}});
  s.ask("w0", "n");  // the first of them is begun
  s.answer("w0", "n", "so");
  const auto log = log_of(s.events);
  history_bounds bounds;
  bounds.page_bytes = bounds.lines_bytes = bounds.queued_bytes = 4000;
  const auto told = walk(*log, bounds);
  CHECK(told.text == whole(s.events));
  CHECK(told.text.size() > 600'000);
  CHECK(told.longest < 20'000);
}

TEST_CASE("history: a log that is reset while it is told ends it") {
  script s;
  s.add(body::session_open{"", "", "", "1"});
  for (int n = 0; n < 20; ++n) {
    const auto turn = std::to_string(n);
    s.add(body::message_user{turn, turn, "ask", {}});
    s.ask(turn, "m" + turn);
    s.answer(turn, "m" + turn, "so");
  }
  const auto log = log_of(s.events);
  history_walk steps(*log, key, *log->head(key), tiny());
  REQUIRE(steps.step());
  storage::append_op reset;
  reset.key = key;
  reset.expected_seq = s.events.size();
  auto& open = s.add(body::session_open{"", "", "", "1"});
  reset.events.push_back({open.meta.id.seq, open.type(), encode(open)});
  reset.first_seq = open.meta.id.seq;
  REQUIRE(log->commit({&reset, 1}).front());
  const auto next = steps.step();
  REQUIRE_FALSE(next);
  CHECK(next.error().code == codes::session_not_found);
}
