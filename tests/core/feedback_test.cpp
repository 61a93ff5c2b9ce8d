#include "core/feedback.hpp"

#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "core/session_core.hpp"
#include "support/result_text.hpp"

using namespace soma;

namespace {

event_meta meta(std::uint64_t seq) {
  return {{1, seq}, {tenant_id{"t"}, session_id{"s"}}, "u", "r", "", "", 5};
}

// A session whose turn "m" was answered by "a".
session_state answered() {
  session_state s;
  s.key = meta(1).key;
  s.epoch = 1;
  std::uint64_t seq = 0;
  const auto add = [&](event_body b) { apply(s, {meta(++seq), std::move(b)}); };
  add(body::session_open{"", "", "", ""});
  add(body::message_user{"m", "m", "hello", {}});
  body::llm_request asked;
  asked.invocation_id = "i", asked.message_id = "a", asked.turn_id = "m";
  add(asked);
  add(body::message_assistant{"a", "m", "hi", {}, "", true});
  body::llm_complete end;
  end.invocation_id = "i", end.message_id = "a", end.turn_id = "m", end.finish_reason = "stop";
  add(end);
  return s;
}

result<command_reply> give(session_state& s, const std::string& message_id,
                           session_actions* did = nullptr) {
  input::commanded in;
  in.who.from.user_id = "u";
  in.what = input::feedback{{message_id, "not_helpful", {"wrong", "long"}, "a \"b\"\n"}};
  auto actions = step(s, {}, 9, in);
  const bool later = actions.now.empty();
  auto reply = std::get<action::reply>((later ? actions.then : actions.now).front()).what;
  if (did) *did = std::move(actions);
  return reply;
}

}  // namespace

TEST_CASE("feedback: is an event about an answer, and acknowledged after it") {
  auto s = answered();
  session_actions did;
  const auto reply = give(s, "a", &did);
  REQUIRE(reply);
  CHECK(reply->message_id == "a");
  REQUIRE(did.append.size() == 1);
  CHECK(did.now.empty());
  const auto& said = std::get<body::app_event>(did.append.front().body);
  CHECK(said.name == "soma.feedback");
  CHECK(
      said.data_json ==
      R"({"message_id":"a","rating":"not_helpful","tags":["wrong","long"],"comment":"a \"b\"\n"})");
  CHECK(feedback_message(said.data_json) == "a");
}

TEST_CASE("feedback: about what the agent did not say, or says no more, is refused") {
  auto s = answered();
  for (const char* id : {"m", "i", "", "x"}) {
    INFO(id);
    const auto reply = give(s, id);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == codes::message_not_found);
  }
  input::commanded again;
  again.what = input::retry{};
  REQUIRE(step(s, {}, 9, again).append.size() == 1);
  const auto replaced = give(s, "a");
  REQUIRE_FALSE(replaced);
  CHECK(replaced.error().code == codes::message_not_found);
  session_state none;
  const auto nowhere = give(none, "a");
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code == codes::session_not_found);
}

TEST_CASE("feedback: of a copy is about the copy of the answer") {
  const auto to_copy = [](std::string_view id) { return "copy of " + std::string(id); };
  CHECK(
      feedback_of_copy(R"({"rating":"helpful","message_id":"a","tags":["x"],"more":1})", to_copy) ==
      R"({"message_id":"copy of a","rating":"helpful","tags":["x"]})");
  for (const char* other : {"[1]", "null", "{}", R"({"message_id":7})", "no json"})
    CHECK(feedback_of_copy(other, to_copy) == other);
}
