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

namespace {

// Puts an event into the session's log that an older version took and could not read again.
void plant(storage::event_log& log, const std::string& session, const std::string& data_json) {
  const auto key = actor_world::key(session);
  const auto head = log.head(key).value();
  event e;
  e.meta.id = {log.epoch(), head.seq + 1};
  e.meta.key = key;
  e.body = body::app_event{"order", data_json};
  storage::append_op op;
  op.key = key;
  op.expected_seq = head.seq;
  op.events.push_back({e.meta.id.seq, e.type(), encode(e)});
  REQUIRE(log.commit({&op, 1}).front());
}

// Breaks an event that the fold needs.
void damage(storage::event_log& log, const std::string& session) {
  const auto key = actor_world::key(session);
  const auto head = log.head(key).value();
  storage::append_op op;
  op.key = key;
  op.expected_seq = head.seq;
  op.events.push_back({head.seq + 1, event_type::message_user, "{\"meta\":"});
  REQUIRE(log.commit({&op, 1}).front());
}

std::shared_ptr<storage::event_log> log_with_session(const std::string& session) {
  actor_world world;
  REQUIRE(world.say(session, "first"));
  finish(*world.models.next(), "fine");
  world.wait_for_type(session, event_type::llm_complete);
  return world.log();
}

}  // namespace

TEST_CASE("supervision: a log that holds numbers past every machine word is taken up again") {
  const auto log = log_with_session("a");
  for (const auto* data : {"{\"wei\":100000000000000000000}", "[1e400]", "{\"n\":Infinity}"})
    plant(*log, "a", data);
  actor_world world(log);
  REQUIRE(world.say("a", "again"));
  finish(*world.models.next(), "yes");
  const auto all = world.wait_for_type("a", event_type::message_assistant, 2);
  std::vector<std::string> kept;
  for (const auto& e : all)
    if (const auto* said = std::get_if<body::app_event>(&e.body)) kept.push_back(said->data_json);
  CHECK(kept ==
        std::vector<std::string>{"{\"wei\":100000000000000000000}", "[1e400]", "{\"n\":1e99999}"});
}

TEST_CASE("supervision: what cannot be read back is refused before it is appended") {
  actor_world world;
  REQUIRE(world.command("a", input::open{}));
  for (const std::string bad : {"{", "[Infinity]", "", "\"\\ud800\""}) {
    CHECK(world.command("a", input::app_event{"x", bad}).error().code == codes::request_invalid);
    CHECK(world.command("a", input::tool_request{"t", bad}).error().code ==
          codes::tool_invalid_inputs);
  }
  CHECK(world.events("a").size() == 1);
  CHECK(world.command("a", input::app_event{"x", "1e400"}));
}

TEST_CASE("supervision: a session whose log cannot be read is quarantined, and can be deleted") {
  const auto log = log_with_session("a");
  damage(*log, "a");
  actor_world world(log);
  const auto refused = world.say("a", "again");
  REQUIRE(!refused);
  // Deleted straight away or after the quarantine: neither needs what the log says.
  const auto gone = world.command("a", input::remove{});
  REQUIRE(gone);
  CHECK(gone->status == "deleted");
  CHECK(log->head(world.key("a")).error().code == codes::session_not_found);
  CHECK(log->list_documents("attachments", "gone", 10)->size() == 1);
  CHECK(world.command("a", input::remove{}).error().code == codes::session_not_found);
}

TEST_CASE("supervision: deleting an unreadable session is the first that anyone asks of it") {
  const auto log = log_with_session("a");
  damage(*log, "a");
  actor_world world(log);
  CHECK(world.command("a", input::remove{}));
  CHECK(log->head(world.key("a")).error().code == codes::session_not_found);
}

TEST_CASE("supervision: a reset makes an unreadable session usable again") {
  const auto log = log_with_session("a");
  damage(*log, "a");
  actor_world world(log);
  actors::session_command reset;
  reset.key = world.key("a");
  reset.what.what = input::reset{};
  reset.idempotency_key = "scope\nkey";
  reset.request_hash = "hash";
  const auto done = world.ask<actors::command_outcome>(reset).reply;
  REQUIRE(done);
  CHECK(done->status == "reset");
  REQUIRE(log->find_idempotency("scope\nkey").value());
  const auto all = world.events("a");
  REQUIRE(all.size() == 1);
  CHECK(all.front().type() == event_type::session_open);
  CHECK(std::get<body::session_open>(all.front().body).title == "first");
  REQUIRE(world.say("a", "again"));
  finish(*world.models.next(), "yes");
  world.wait_for_type("a", event_type::message_assistant);
}

TEST_CASE("supervision: a quarantined session can be deleted") {
  fault f;
  f.armed = false;
  actor_world world({}, f.installed());
  REQUIRE(world.say("bad", "first"));
  finish(*world.models.next(), "fine");
  world.wait_for_type("bad", event_type::llm_complete);
  f.armed = true;
  while (f.thrown < 3) CHECK(!world.command("bad", input::nudge{}));
  CHECK(world.command("bad", input::remove{}));
  CHECK(world.events("bad").empty());
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

TEST_CASE("supervision: a session whose log is damaged says so by its name, its neighbours go on") {
  const std::shared_ptr<storage::event_log> log = storage::make_memory_event_log();
  storage::append_op op;
  op.key = actor_world::key("bad");
  op.events.push_back({1, event_type::message_user, "no envelope"});
  REQUIRE(log->commit(std::span(&op, 1))[0]);
  actor_world world(log);
  // The first may be on its way while the log is read: then it is to be sent again.
  const auto told = [&] {
    auto refused = world.say("bad", "hello");
    for (int n = 0;
         n < 1000 && refused.has_error() && refused.error().code != codes::storage_corrupt; ++n)
      refused = world.say("bad", "hello");
    REQUIRE(refused.has_error());
    return refused.error();
  };
  CHECK(told().code == codes::storage_corrupt);
  CHECK(told().detail.find("session bad") != std::string::npos);
  actors::restart_request restart;
  restart.key = world.key("bad");
  (void)world.ask<actors::command_outcome>(restart);
  CHECK(told().code == codes::storage_corrupt);
  REQUIRE(world.say("good", "hello"));
  finish(*world.models.next(), "fine");
  world.wait_for_type("good", event_type::llm_complete);
}
