// Random histories, copied up to every one of their events. SOMA_SEEDS sets how many histories,
// SOMA_SEED replays one.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/session_copy.hpp"
#include "core/session_core.hpp"
#include "session_world.hpp"

using namespace soma;
using namespace soma::testing;

namespace {

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string renamed(std::string_view id) {
  const std::hash<std::string> mix;
  return format_uuid(mix("a" + std::string(id)), mix("b" + std::string(id)));
}

copy_options options() {
  copy_options o;
  o.to = {tenant_id("t"), session_id("the-copy")};
  o.epoch = 9;
  o.rename = &renamed;
  o.forked_from_session = "s";
  o.forked_from_event = "1.1";
  o.opened_by.user_id = "grace";
  o.opened_at_ms = 77;
  return o;
}

struct copied {
  std::vector<event> events;
  session_state state;
  std::size_t closing = 0;  // events that only the copy has
};

copied copy(const std::vector<event>& past, std::size_t count) {
  copied c;
  session_copy one(options());
  for (std::size_t i = 0; i < count; ++i) c.events.push_back(one.add(past[i]));
  const auto closing = one.close(1);
  c.closing = closing.size();
  c.events.insert(c.events.end(), closing.begin(), closing.end());
  c.state.key = options().to;
  for (const auto& e : c.events) apply(c.state, e);
  return c;
}

std::vector<event> history(std::uint64_t seed) {
  session_world world(seed, &step);
  world.run(90);
  std::vector<event> events;
  for (const auto& line : world.log()) events.push_back(decode(line).value());
  return events;
}

void require(bool held, const std::string& what) {
  if (!held) throw violation(what);
}

// Texts of answers, by their name in the copy.
std::map<std::string, std::string> answers_of(const std::vector<event>& past, std::size_t count) {
  std::map<std::string, std::string> texts;
  for (std::size_t i = 0; i < count; ++i)
    if (const auto* said = std::get_if<body::message_assistant>(&past[i].body))
      texts[renamed(said->message_id)] = said->text;
  return texts;
}

void check_at(const std::vector<event>& past, std::size_t count) {
  auto copy_of = copy(past, count);
  session_invariants invariants(3);
  invariants.copied = true;
  for (const auto& e : copy_of.events) invariants.see(decode(encode(e)).value());
  invariants.at_rest();
  require(!copy_of.state.busy(), "a copy has nothing to do");
  require(copy_of.state.queue.empty() || copy_of.state.paused, "messages that wait are held");
  for (const auto& [id, text] : answers_of(past, count)) {
    const auto at = invariants.answers().find(id);
    require(at != invariants.answers().end() && at->second == text, "an answer is the same text");
  }
  // Taken up by an actor, it does nothing.
  session_rules rules;
  const auto actions = step(copy_of.state, rules, 2, input::activated{10, {1, 2}});
  require(actions.append.empty() && actions.then.empty() && actions.now.empty(),
          "a copy that is taken up does nothing");
}

// But for those of memories, at which a copy points, too.
std::set<std::string> uuids_in(std::vector<event> events) {
  std::set<std::string> found;
  for (auto& e : events) {
    if (auto* told = std::get_if<body::memory_recall>(&e.body)) told->items_json = "[]";
    if (auto* written = std::get_if<body::memory_write>(&e.body)) written->memory_id.clear();
    const auto json = encode(e);
    for (std::size_t i = 0; i + 36 <= json.size(); ++i)
      if (json[i + 8] == '-' && is_uuid(std::string_view(json).substr(i, 36)))
        found.insert(json.substr(i, 36));
  }
  return found;
}

event make(std::uint64_t seq, event_body body) {
  event e;
  e.meta.id = {1, seq};
  e.meta.key = {tenant_id("t"), session_id("s")};
  e.meta.user_id = "ada";
  e.meta.idempotency_key = "k" + std::to_string(seq);
  e.meta.created_at_ms = 1'700'000'000'000 + static_cast<std::int64_t>(seq);
  e.body = std::move(body);
  return e;
}

body::llm_request request_of(std::string turn) {
  body::llm_request r;
  r.invocation_id = "i-" + turn;
  r.message_id = "m-" + turn;
  r.turn_id = std::move(turn);
  return r;
}

}  // namespace

TEST_CASE("session copy: a past cut at any event is closed, at rest and says the same") {
  const auto one = number_from_environment("SOMA_SEED", 0);
  const auto count = one ? 1 : number_from_environment("SOMA_SEEDS", 40);
  std::size_t cuts = 0, closed = 0;
  for (std::uint64_t seed = one ? one : 1; count > 0 && seed < (one ? one : 1) + count; ++seed) {
    const auto past = history(seed);
    for (std::size_t cut = 1; cut <= past.size(); ++cut, ++cuts) {
      INFO("replay with SOMA_SEED=" << seed << ", cut at event " << cut);
      REQUIRE_NOTHROW(check_at(past, cut));
      closed += copy(past, cut).closing > 0;
    }
  }
  MESSAGE(cuts << " copies, " << closed << " with open work");
  CHECK(closed > 0);
}

TEST_CASE("session copy: no id of the source's messages, turns or calls is left") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    const auto past = history(seed);
    const auto before = uuids_in(past);
    for (const auto& id : uuids_in(copy(past, past.size()).events)) CHECK(before.count(id) == 0);
  }
}

TEST_CASE("session copy: belongs to who makes it, keeps who said what and when") {
  const std::vector<event> past = {
      make(7, body::session_open{"", "a talk", "", ""}),
      make(8, body::message_user{"u", "u", "hello", {{"an-attachment"}}})};
  const auto c = copy(past, 2);
  CHECK(c.events[0].meta.id == event_id{9, 1});
  CHECK(c.events[0].meta.user_id == "grace");
  CHECK(c.events[0].meta.created_at_ms == 77);
  CHECK(c.events[1].meta.user_id == "ada");
  CHECK(c.events[1].meta.created_at_ms == past[1].meta.created_at_ms);
  CHECK(c.events[1].meta.idempotency_key.empty());
  const auto& open = std::get<body::session_open>(c.events[0].body);
  CHECK(open.forked_from_session == "s");
  CHECK(open.forked_from_event == "1.1");
  const auto& user = std::get<body::message_user>(c.events[1].body);
  CHECK(user.attachments == std::vector<attachment_ref>{{"an-attachment"}});
  CHECK(user.turn_id == user.message_id);
  CHECK(c.state.paused);
  CHECK(c.state.queue.size() == 1);
}

TEST_CASE("session copy: calls that were announced but not begun get an answer too") {
  body::message_assistant said;
  said.message_id = "m-u";
  said.turn_id = "u";
  said.tool_calls = {{"one", "p1", "echo", "{}"}, {"two", "p2", "echo", "{}"}};
  const std::vector<event> past = {
      make(1, body::session_open{}), make(2, body::message_user{"u", "u", "hello", {}}),
      make(3, request_of("u")), make(4, said),
      make(5, body::tool_call{"one", "m-u", "u", "p1", "echo", "{}", "model"})};
  const auto c = copy(past, past.size());
  std::set<std::string> answered;
  for (const auto& e : c.events)
    if (const auto* gone = std::get_if<body::tool_result>(&e.body)) {
      CHECK(gone->status == "interrupted");
      answered.insert(gone->tool_call_id);
    }
  CHECK(answered == std::set<std::string>{renamed("one"), renamed("two")});
  CHECK_FALSE(c.state.busy());
}

TEST_CASE("session copy: a whole answer without its end mark is not called interrupted") {
  body::message_assistant said;
  said.message_id = "m-u";
  said.turn_id = "u";
  said.text = "whole";
  said.final = true;
  const std::vector<event> past = {make(1, body::session_open{}),
                                   make(2, body::message_user{"u", "u", "hello", {}}),
                                   make(3, request_of("u")), make(4, said)};
  const auto c = copy(past, past.size());
  CHECK(c.closing == 1);
  CHECK(std::get<body::llm_complete>(c.events.back().body).finish_reason == "stop");
  const auto half = copy(past, 3);
  CHECK(std::get<body::llm_complete>(half.events.back().body).finish_reason == "interrupted");
}
