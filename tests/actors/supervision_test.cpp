#include "actor_world.hpp"

using namespace soma;
using namespace soma::testing;

namespace {

// Every input of session "bad" fails while armed.
struct fault {
  std::atomic<bool> armed{true};
  std::atomic<int> thrown{0};
  std::function<void(actors::node_services&)> installed() {
    return [this](actors::node_services& node) {
      node.before_step = [this](const session_key& key, const session_input& in) {
        if (key.session.value != "bad" || !armed) return;
        if (!std::holds_alternative<input::commanded>(in)) return;
        ++thrown;
        throw std::runtime_error("made to fail");
      };
    };
  }
};

}  // namespace

TEST_CASE("supervision: a session that keeps failing is quarantined and its neighbours stream on") {
  fault f;
  actor_world world({}, f.installed());
  f.armed = false;
  REQUIRE(world.say("bad", "first"));
  finish(*world.models.next(), "fine");
  world.wait_for_type("bad", event_type::llm_complete);
  REQUIRE(world.say("good", "stream"));
  const auto neighbour = world.models.next();
  neighbour->sink.on_piece("a ", false);

  f.armed = true;
  while (f.thrown < 3) CHECK(!world.command("bad", input::nudge{}));
  const auto refused = world.command("bad", input::nudge{});
  REQUIRE(!refused);
  CHECK(refused.error().code == codes::session_quarantined);
  const auto all = world.wait_for_type("bad", event_type::error);
  CHECK(last_of<body::error>(all).what.code == codes::session_quarantined);

  finish(*neighbour, "b");
  const auto good = world.wait_for_type("good", event_type::llm_complete);
  CHECK(last_of<body::message_assistant>(good).text == "a b");

  f.armed = false;
  actors::restart_request restart;
  restart.key = world.key("bad");
  CHECK(world.ask<actors::command_outcome>(restart).reply);
  REQUIRE(world.say("bad", "and now"));
  finish(*world.models.next(), "well again");
  world.wait_for_type("bad", event_type::message_assistant, 2);
}

TEST_CASE("supervision: a failed session goes on with its unfinished turn") {
  fault f;
  f.armed = false;
  actor_world world({}, f.installed());
  REQUIRE(world.say("bad", "tell"));
  const auto cut = world.models.next();
  cut->sink.on_piece("one", false);
  world.wait_for_type("bad", event_type::llm_delta);
  f.armed = true;
  CHECK(!world.command("bad", input::nudge{}));
  f.armed = false;
  const auto again = world.models.next();
  CHECK(again->asked.prefix == "one");
  finish(*again, " two");
  const auto all = world.wait_for_type("bad", event_type::message_assistant);
  CHECK(last_of<body::message_assistant>(all).text == "one two");
  CHECK(is_cancelled(*cut));
}

TEST_CASE("supervision: restart ends what runs and folds the session anew") {
  actor_world world;
  REQUIRE(world.say("a", "tell"));
  const auto call = world.models.next();
  actors::restart_request restart;
  restart.key = world.key("a");
  REQUIRE(world.ask<actors::command_outcome>(restart).reply);
  CHECK(last_of<body::llm_complete>(world.events("a")).finish_reason == "cancelled");
  CHECK(is_cancelled(*call));
  REQUIRE(world.say("a", "more"));
  finish(*world.models.next(), "ok");
  world.wait_for_type("a", event_type::message_assistant, 2);
}

TEST_CASE("supervision: many sessions with unfinished work are all taken up at start") {
  constexpr int sessions = 60;
  std::shared_ptr<storage::event_log> log;
  {
    actor_world world;
    log = world.log();
    for (int i = 0; i < sessions; ++i) REQUIRE(world.say("s" + std::to_string(i), "go"));
    for (int i = 0; i < sessions; ++i) world.models.next();
  }
  actor_world world(log);
  world.recover();
  for (int i = 0; i < sessions; ++i) finish(*world.models.next(), "done");
  for (int i = 0; i < sessions; ++i)
    world.wait_for_type("s" + std::to_string(i), event_type::message_assistant);
}
