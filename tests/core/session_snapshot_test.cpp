// Snapshots of a session's state: nothing is lost by one, damage is no snapshot, and old turns that
// are let go are told of as before.
#include "core/session_snapshot.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "core/session_core.hpp"
#include "session_world.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::testing;

namespace {

constexpr std::uint64_t small_bound = 3000;

std::vector<event> history(std::uint64_t seed) {
  session_world world(seed, &step);
  world.run(150);
  std::vector<event> events;
  for (const auto& line : world.log()) events.push_back(decode(line).value());
  return events;
}

session_state empty_state(std::uint64_t bound = no_turns_bound) {
  session_state s;
  s.key = {tenant_id("t"), session_id("s")};
  s.turns_bytes_max = bound;
  return s;
}

session_state fold(const std::vector<event>& events, std::uint64_t bound = no_turns_bound) {
  auto s = empty_state(bound);
  for (const auto& e : events) apply(s, e);
  return s;
}

std::set<std::string> answers_ever(const std::vector<event>& events) {
  std::set<std::string> ids;
  for (const auto& e : events)
    if (const auto* said = std::get_if<body::message_assistant>(&e.body))
      ids.insert(said->message_id);
  return ids;
}

// A conversation: a question of a user, tools' results, and an answer a turn.
class conversation {
 public:
  explicit conversation(std::uint64_t bound) : state(empty_state(bound)) {
    take(body::session_open{});
  }

  void take(event_body b) {
    event e;
    e.meta.id = {1, ++seq_};
    e.meta.key = state.key;
    e.body = std::move(b);
    apply(state, e);
    events.push_back(std::move(e));
  }

  void turn(const std::string& id, const std::string& text, const std::string& result = {}) {
    take(body::message_user{id, id, text, {}});
    body::llm_request asked;
    asked.turn_id = id;
    asked.message_id = id + "-answer";
    asked.invocation_id = id + "-call";
    take(asked);
    if (!result.empty()) {
      take(body::tool_call{id + "-tool", asked.message_id, id, {}, "echo", "{}", "model"});
      take(body::tool_result{id + "-tool", id, "success", result, {}, 0});
    }
    take(body::message_assistant{asked.message_id, id, "answer to " + text, {}, {}, true});
    body::llm_complete complete;
    complete.invocation_id = asked.invocation_id;
    take(complete);
  }

  session_state state;
  std::vector<event> events;

 private:
  std::uint64_t seq_ = 0;
};

std::string code_of(const result<session_state>& r) {
  return r ? std::string() : std::string(r.error().code);
}

}  // namespace

TEST_CASE("snapshot: with the events behind it, it is the fold of them all, wherever it is taken") {
  std::mt19937_64 random(7);
  std::size_t cuts = 0, let_go = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto events = history(seed);
    for (const auto bound : {no_turns_bound, small_bound}) {
      const auto all = fold(events, bound);
      let_go += all.past.messages;
      for (int n = 0; n < 8; ++n) {
        const auto at = random() % (events.size() + 1);
        auto before = empty_state(bound);
        for (std::size_t i = 0; i < at; ++i) apply(before, events[i]);
        const auto bytes = encode_snapshot(before);
        auto again = decode_snapshot(bytes, bound);
        REQUIRE(again);
        CHECK(encode_snapshot(*again) == bytes);
        for (auto i = at; i < events.size(); ++i) apply(*again, events[i]);
        CHECK(encode_snapshot(*again) == encode_snapshot(all));
        ++cuts;
      }
    }
  }
  CHECK(cuts > 500);
  CHECK(let_go > 100);
}

TEST_CASE("snapshot: a damaged one is none") {
  const auto bytes = encode_snapshot(fold(history(3), small_bound));
  REQUIRE(decode_snapshot(bytes, small_bound));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    REQUIRE_FALSE(decode_snapshot(flipped, small_bound));
  }
  for (std::size_t size = 0; size < bytes.size(); size += 3)
    REQUIRE(code_of(decode_snapshot(bytes.substr(0, size), small_bound)) == codes::storage_corrupt);
  CHECK(code_of(decode_snapshot(bytes + '\0', small_bound)) == codes::storage_corrupt);
}

TEST_CASE("snapshot: one of another version or with another bound is none, and no damage") {
  auto bytes = encode_snapshot(fold(history(3), small_bound));
  CHECK(code_of(decode_snapshot(bytes, small_bound + 1)) == codes::storage_format);
  bytes[0] = static_cast<char>(snapshot_version + 1);
  CHECK(code_of(decode_snapshot(bytes, small_bound)) == codes::storage_format);
}

// What is kept in a store is folded on by newer programs.
TEST_CASE("snapshot: what golden logs fold to, and how it is encoded, is of this version") {
  const std::map<std::string, std::string> kept = {
#include "snapshot_fingerprints.inc"
  };
  std::map<std::string, std::string> now;
  for (const auto& [name, was] : kept) {
    std::ifstream in(std::filesystem::path(SOMA_GOLDEN_LOGS) / (name + ".ndjson"));
    // Little enough that turns are let go.
    auto whole = empty_state(), bounded = empty_state(1500);
    for (std::string line; std::getline(in, line);) {
      const auto e = decode(line).value();
      apply(whole, e);
      apply(bounded, e);
    }
    REQUIRE(whole.seq > 0);
    now[name] = fingerprint_text(fingerprint(encode_snapshot(bounded) + encode_snapshot(whole)));
  }
  CHECK(kept.size() >= 12);
  std::string lines;
  for (const auto& [name, is] : now) lines += "{\"" + name + "\", \"" + is + "\"},\n";
  CHECK_MESSAGE(now == kept,
                "The fold or the encoding has changed (or a golden log): raise snapshot_version, "
                "and keep in snapshot_fingerprints.inc:\n"
                    << lines);
}

TEST_CASE("old turns: answers are found as if all were kept, and so are counts") {
  std::size_t asked = 0, let_go = 0, same = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const auto events = history(seed);
    const auto all = fold(events), bounded = fold(events, small_bound);
    let_go += bounded.past.messages;
    for (const auto& id : answers_ever(events)) {
      CHECK(bounded.has_answer(id) == all.has_answer(id));
      asked += bounded.has_answer(id);
    }
    CHECK_FALSE(bounded.has_answer("another"));
    session_rules rules;
    rules.context_window = 120;
    const auto whole = current_context(all, rules), some = current_context(bounded, rules);
    if (whole.turns > bounded.turns.size()) continue;
    ++same;
    CHECK(some.left_out_messages == whole.left_out_messages);
    CHECK(some.tokens == whole.tokens);
    CHECK(some.from_turn == whole.from_turn);
    REQUIRE(some.parts.size() == whole.parts.size());
    for (std::size_t n = 0; n < some.parts.size(); ++n)
      CHECK(some.parts[n].text == whole.parts[n].text);
  }
  CHECK(asked > 100);
  CHECK(let_go > 100);
  CHECK(same > 30);
}

TEST_CASE("old turns: the results of tools are shortened first, then the oldest turns go") {
  const std::string long_result = '"' + std::string(3000, 'r') + '"';
  conversation all(no_turns_bound), some(10'000);
  for (auto* c : {&all, &some})
    for (int n = 0; n < 5; ++n) c->turn("t" + std::to_string(n), "question", long_result);
  REQUIRE(some.state.turns.size() == 5);  // there is room for all, once they are shortened
  CHECK(some.state.past.messages == 0);
  CHECK(some.state.turns.front().lines[0].shortened);
  CHECK_FALSE(some.state.turns.back().lines[0].shortened);
  session_rules rules;
  rules.context_window = 1500;  // the model is sent the same
  const auto whole = current_context(all.state, rules), sent = current_context(some.state, rules);
  REQUIRE(sent.parts.size() == whole.parts.size());
  for (std::size_t n = 0; n < sent.parts.size(); ++n)
    CHECK(sent.parts[n].text == whole.parts[n].text);
  CHECK(sent.shortened_results == whole.shortened_results);
  CHECK(sent.shortened_results > 0);

  for (int n = 5; n < 40; ++n) some.turn("t" + std::to_string(n), "question");
  CHECK(some.state.turns.size() < 15);
  CHECK(some.state.turns.back().turn_id == "t39");
  CHECK(some.state.has_answer("t0-answer"));
  CHECK(some.state.settled_bytes <= 10'000);
  CHECK(some.state.past.messages + 2 * some.state.turns.size() == 80);
  CHECK(current_context(some.state, rules).left_out_messages +
            2 * current_context(some.state, rules).turns ==
        80);
}

TEST_CASE("old turns: the newest can be asked again, however large, and a reset forgets all") {
  conversation c(2000);
  const std::string large(10'000, 'x');
  c.turn("a", large);
  c.turn("b", large);
  REQUIRE(c.state.turns.size() == 1);
  auto state = c.state;
  session_rules rules;
  input::commanded again;
  again.what = input::retry{};
  const auto actions = step(state, rules, 1, again);
  const auto& asked = std::get<body::llm_request>(actions.append.front().body);
  CHECK(asked.turn_id == "b");
  CHECK(asked.supersedes == "b-answer");
  CHECK_FALSE(state.has_answer("b-answer"));  // as a retry takes it back
  CHECK(state.has_answer("a-answer"));
  c.take(body::session_open{});
  CHECK(c.state.past.messages == 0);
  CHECK(c.state.settled_bytes == 0);
  CHECK_FALSE(c.state.has_answer("a-answer"));
}

TEST_CASE("old turns: ids are found whatever they look like") {
  id_list ids;
  const auto one = new_uuid(), two = new_uuid();
  const std::string upper = "AAAAAAAA-0000-4000-8000-000000000000";
  ids.add(one);
  ids.add("imported");
  ids.add(upper);
  CHECK(ids.contains(one));
  CHECK(ids.contains("imported"));
  CHECK(ids.contains(upper));
  CHECK_FALSE(ids.contains(two));
  CHECK_FALSE(ids.contains("aaaaaaaa-0000-4000-8000-000000000000"));
  CHECK_FALSE(ids.contains(""));
}

TEST_CASE("snapshot: due by events read, and by what they weigh against the last one") {
  snapshot_pace pace;
  pace.appended(100);
  CHECK_FALSE(pace.due(1023));
  CHECK(pace.due(1024));
  CHECK_FALSE(pace.due_on_leaving(511));
  CHECK(pace.due_on_leaving(512));
  pace.taken(1024, 5000);
  pace.appended(9999);
  CHECK_FALSE(pace.due(9000));
  CHECK(pace.due_on_leaving(9000));
  pace.appended(1);
  CHECK_FALSE(pace.due(2047));
  CHECK(pace.due(2048));
  CHECK_FALSE(snapshot_pace(10, 5000, 2499).due_on_leaving(9000));
  CHECK(snapshot_pace(10, 5000, snapshot_pace::bytes_between).due(11));
  CHECK_FALSE(snapshot_pace(10, 5000, snapshot_pace::bytes_between - 1).due(11));
  CHECK_FALSE(snapshot_pace(10, 5u << 20, snapshot_pace::bytes_between).due(11));
  CHECK(snapshot_pace(10, 5000, snapshot_pace::bytes_left_behind).due_on_leaving(11));
}
