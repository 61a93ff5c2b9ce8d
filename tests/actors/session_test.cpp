#include "actor_world.hpp"
#include "support/held_log.hpp"

using namespace soma;
using namespace soma::testing;

TEST_CASE("session: a message is answered and every step is in the log") {
  actor_world world;
  const auto accepted = world.say("a", "hello");
  REQUIRE(accepted);
  CHECK(accepted->event.seq == 2);
  const auto call = world.models.next();
  REQUIRE(!call->asked.messages.empty());
  CHECK(call->asked.messages.back().text == "hello");
  finish(*call, "good day");
  const auto all = world.wait_for_type("a", event_type::llm_complete);
  CHECK(last_of<body::message_assistant>(all).text == "good day");
  CHECK(last_of<body::message_assistant>(all).final);
  CHECK(last_of<body::llm_complete>(all).finish_reason == "stop");
}

TEST_CASE("session: one that does not exist takes no command but the one that makes it") {
  actor_world world;
  CHECK(world.command("nobody", input::stop{}).error().code == codes::session_not_found);
  CHECK(world.command("nobody", input::message{"hi", {}, {}}).error().code ==
        codes::session_not_found);
  CHECK(world.command("nobody", input::open{"", "title"}));
  CHECK(world.command("nobody", input::message{"hi", {}, {}}));
}

TEST_CASE("session: the twin of a command just carried out is sent back, never carried out again") {
  actor_world world;
  const auto send = [&](const std::string& key) {
    actors::session_command command;
    command.key = actor_world::key("a");
    command.what.what = input::message{"once", {}, input::open{}};
    command.idempotency_key = key;
    command.request_hash = "hash";
    return world.ask<actors::command_outcome>(std::move(command)).reply;
  };
  REQUIRE(send("k1"));
  CHECK(send("k1").error().code == codes::idempotency_exists);
  REQUIRE(send("k2"));
  REQUIRE(send(""));
  REQUIRE(send(""));
  std::size_t users = 0;
  for (const auto& e : world.events("a")) users += e.type() == event_type::message_user;
  CHECK(users == 4);
}

TEST_CASE("session: stop is answered when the cancelled call is durable, and keeps the text") {
  actor_world world;
  REQUIRE(world.say("a", "tell me"));
  const auto call = world.models.next();
  call->sink.on_piece("once upon", false);
  world.wait_for_type("a", event_type::llm_delta);
  const auto stopped = world.command("a", input::stop{});
  REQUIRE(stopped);
  CHECK(stopped->status == "stopped");
  const auto all = world.events("a");
  CHECK(last_of<body::llm_complete>(all).finish_reason == "cancelled");
  CHECK(last_of<body::message_assistant>(all).text == "once upon");
  CHECK(is_cancelled(*call));
}

TEST_CASE("session: what comes while a piece is on its way to the disk is one piece after it") {
  const auto log = std::shared_ptr(storage::make_memory_event_log());
  const auto disk = std::make_shared<storage::held_log>(*log);
  world_options options;
  options.limits.delta_flush_ms = 0;
  actor_world world(disk, options);
  REQUIRE(world.say("a", "tell me"));
  const auto call = world.models.next();
  disk->hold();
  call->sink.on_piece("once", false);
  disk->wait_for_writers(1);
  for (const auto* word : {" upon", " a", " time"}) call->sink.on_piece(word, false);
  disk->let_go();
  std::vector<std::string> said;
  const auto all = world.wait_for("a", [&](const std::vector<event>& events) {
    said.clear();
    for (const auto& e : events)
      if (const auto* delta = std::get_if<body::llm_delta>(&e.body)) said.push_back(delta->text);
    return said.size() > 1;
  });
  CHECK(said == std::vector<std::string>{"once", " upon a time"});
  finish(*call, ".");
  CHECK(last_of<body::message_assistant>(world.wait_for_type("a", event_type::llm_complete)).text ==
        "once upon a time.");
}

TEST_CASE("session: a provider whose text gathers before a slow disk is not read on") {
  const auto log = std::shared_ptr(storage::make_memory_event_log());
  const auto disk = std::make_shared<storage::held_log>(*log);
  world_options options;
  options.limits.uncommitted_bytes = 1000;
  actor_world world(disk, options);
  REQUIRE(world.say("a", "tell me"));
  const auto call = world.models.next();
  disk->hold();
  call->sink.on_piece("once", false);
  disk->wait_for_writers(1);
  CHECK_FALSE(*call->paused);
  call->sink.on_piece(std::string(1000, 'x'), false);
  CHECK(becomes(*call->paused, true));
  disk->let_go();
  CHECK(becomes(*call->paused, false));
  finish(*call, ".");
  world.wait_for_type("a", event_type::llm_complete);
}

TEST_CASE("session: an answer cut by the end of the server goes on in the same message") {
  std::shared_ptr<storage::event_log> log;
  std::string message_id;
  {
    actor_world world;
    log = world.log();
    REQUIRE(world.say("a", "count"));
    const auto call = world.models.next();
    call->sink.on_piece("one two", false);
    message_id =
        last_of<body::llm_delta>(world.wait_for_type("a", event_type::llm_delta)).message_id;
  }
  actor_world world(log);
  world.recover();
  const auto call = world.models.next();
  CHECK(call->asked.prefix == "one two");
  finish(*call, " three");
  const auto all = world.wait_for_type("a", event_type::llm_complete, 2);
  CHECK(last_of<body::llm_request>(all).attempt == 2);
  CHECK(last_of<body::message_assistant>(all).text == "one two three");
  CHECK(last_of<body::message_assistant>(all).message_id == message_id);
}

TEST_CASE("session: a provider that fails before its first token is asked again") {
  actor_world world;
  REQUIRE(world.say("a", "hello"));
  llm::stream_end down;
  down.error = failure{"llm.unreachable", "refused", true};
  world.models.next()->sink.on_end(down);
  finish(*world.models.next(), "there");
  const auto all = world.wait_for_type("a", event_type::message_assistant);
  CHECK(last_of<body::message_assistant>(all).text == "there");
}

TEST_CASE("session: a provider that refuses for good ends the turn with an error") {
  actor_world world;
  REQUIRE(world.say("a", "hello"));
  llm::stream_end refused;
  refused.error = failure{"llm.auth", "no such key", false};
  world.models.next()->sink.on_end(refused);
  const auto all = world.wait_for_type("a", event_type::error);
  CHECK(last_of<body::llm_complete>(all).finish_reason == "error");
  CHECK(last_of<body::error>(all).what.code == "llm.auth");
  CHECK(last_of<body::message_assistant>(all).final);
}

TEST_CASE("session: the end of a model call tells how much was thought") {
  actor_world world;
  REQUIRE(world.say("a", "hello"));
  const auto call = world.models.next();
  call->sink.on_piece("hm\xc3\xa9 ", true);
  call->sink.on_piece("well", true);
  finish(*call, "hi");
  CHECK(last_of<body::llm_complete>(world.wait_for_type("a", event_type::llm_complete))
            .thinking_bytes == 9);
  REQUIRE(world.say("a", "again"));
  finish(*world.models.next(), "hi");
  CHECK(last_of<body::llm_complete>(world.wait_for_type("a", event_type::llm_complete, 2))
            .thinking_bytes == 0);
}

TEST_CASE("session: the record of an idempotency key is kept with its message") {
  actor_world world;
  actors::session_command command;
  command.key = world.key("a");
  command.what.what = input::message{"once", {}, input::open{}};
  command.idempotency_key = "scope\nkey";
  command.request_hash = "hash";
  REQUIRE(world.ask<actors::command_outcome>(command).reply);
  const auto record = world.log()->find_idempotency("scope\nkey");
  REQUIRE(record);
  REQUIRE(*record);
  CHECK((*record)->request_hash == "hash");
}

TEST_CASE("session: an idle one leaves, and comes back when it is spoken to") {
  world_options options;
  options.limits.session_idle_s = 0;
  actor_world world({}, options);
  REQUIRE(world.say("a", "hello"));
  finish(*world.models.next(), "hi");
  world.wait_for_type("a", event_type::message_assistant);
  for (std::size_t i = 1; i <= 20; ++i) {
    REQUIRE(actor_world::becomes([&] { return world.probe.ended == i; }));
    REQUIRE(world.say("a", "again"));
    finish(*world.models.next(), "yes");
    world.wait_for_type("a", event_type::message_assistant, i + 1);
    CHECK(world.probe.started == i + 1);
  }
}

TEST_CASE("session: one that works does not leave, however long it is idle") {
  world_options options;
  options.limits.session_idle_s = 0;
  actor_world world({}, options);
  REQUIRE(world.say("a", "hello"));
  const auto call = world.models.next();
  REQUIRE(world.say("b", "hello"));
  finish(*world.models.next(), "hi");
  REQUIRE(actor_world::becomes([&] { return world.probe.ended == 1; }));
  finish(*call, "at last");
  world.wait_for_type("a", event_type::llm_complete);
  CHECK(world.probe.started == 2);
}

TEST_CASE("session: turns and ended sessions leave no message behind that waits for its time") {
  actor_world world;
  const auto once = [&](const std::string& session) {
    REQUIRE(world.say(session, "hello"));
    finish(*world.models.next(), "hi");
    world.wait_for_type(session, event_type::llm_complete);
    REQUIRE(world.command(session, input::remove{}));
  };
  once("first");
  for (int i = 0; i < 50; ++i) once("s" + std::to_string(i));
  REQUIRE(actor_world::becomes([&] { return world.probe.ended == 51; }));
  // The writer's housekeeping, and the tenant's one timer; an earlier one may not have come yet.
  CHECK(world.delayed_messages() <= 4);
}

TEST_CASE("session: a turn that takes too long is ended, also after a shorter one before it") {
  world_options options;
  options.model = {};
  options.model.rules.timeout_s = 1;
  actor_world world({}, options);
  REQUIRE(world.say("a", "hello"));
  finish(*world.models.next(), "hi");
  world.wait_for_type("a", event_type::llm_complete);
  REQUIRE(world.say("a", "and now"));
  const auto call = world.models.next();
  const auto all = world.wait_for_type("a", event_type::error);
  CHECK(last_of<body::error>(all).what.code == codes::turn_timeout);
  CHECK(is_cancelled(*call));
}

TEST_CASE("session: a key that the log has is never used twice, though nobody knew of it before") {
  actor_world world;
  const auto send = [&](const std::string& session, const std::string& key) {
    actors::session_command command;
    command.key = actor_world::key(session);
    command.what.what = input::message{"once", {}, input::open{}};
    command.idempotency_key = key;
    command.request_hash = "hash";
    return world.ask<actors::command_outcome>(std::move(command)).reply;
  };
  const auto users = [&](const std::string& session) {
    std::size_t n = 0;
    for (const auto& e : world.events(session)) n += e.type() == event_type::message_user;
    return n;
  };
  REQUIRE(send("a", "k"));
  // The gateway looked before that was durable; the incarnation that remembered it is gone.
  actors::restart_request restart;
  restart.key = world.key("a");
  REQUIRE(world.ask<actors::command_outcome>(restart).reply);
  const auto twin = send("a", "k");
  CHECK(twin.error().code == codes::idempotency_exists);
  CHECK(twin.error().parameter == "k");
  // Nor in another session, as when the first try made one.
  CHECK(send("b", "k").error().code == codes::idempotency_exists);
  CHECK(world.log()->head(world.key("b")).error().code == codes::session_not_found);
  CHECK(users("a") == 1);
  // It is no failure of the session, which goes on.
  for (int i = 0; i < 5; ++i) CHECK(send("b", "k").error().code == codes::idempotency_exists);
  REQUIRE(send("a", "another"));
  CHECK(users("a") == 2);
  CHECK(send("b", "a third"));
}

TEST_CASE("session: deleting it ends it and its log") {
  actor_world world;
  REQUIRE(world.say("a", "hello"));
  REQUIRE(world.command("a", input::remove{}));
  CHECK(world.events("a").empty());
  CHECK(world.command("a", input::stop{}).error().code == codes::session_not_found);
}

TEST_CASE("session: a reset keeps its id and goes on counting") {
  actor_world world;
  REQUIRE(world.say("a", "hello"));
  const auto reset = world.command("a", input::reset{});
  REQUIRE(reset);
  const auto all = world.events("a");
  REQUIRE(all.size() == 1);
  CHECK(all.front().type() == event_type::session_open);
  CHECK(all.front().meta.id == reset->event);
  CHECK(reset->event.seq > 2);
}

TEST_CASE("session: it stays that of who made it, whoever resets it") {
  actor_world world;
  REQUIRE(world.command("a", input::message{"hello", {}, input::open{}}, {"ann", {}, {}}));
  REQUIRE(world.command("a", input::reset{}, {"root", "request", {}}));
  CHECK(world.log()->head(world.key("a"))->info.user_id == "ann");
  const auto all = world.events("a");
  CHECK(all.front().meta.user_id == "ann");  // from which a lost head is made again
  CHECK(all.front().meta.request_id == "request");
}

TEST_CASE(
    "session: what uses an attachment is written with its message, and its end with the removal") {
  actor_world world;
  input::message said{"look", {{"att-1", "a.txt", "text/plain", 3}}, input::open{}};
  REQUIRE(world.command("a", std::move(said)));
  const auto rows = [&](const std::string& prefix) {
    std::vector<std::string> found;
    for (const auto& [key, value] : *world.log()->list_documents("attachments", prefix, 10))
      found.push_back(key);
    return found;
  };
  const auto key = actor_world::key("a");
  const auto& tenant = key.tenant.value;
  const auto& session = key.session.value;
  CHECK(rows("") == std::vector<std::string>{"by\n" + tenant + "\natt-1\n" + session,
                                             "of\n" + tenant + '\n' + session + "\natt-1"});
  const auto all = world.events("a");
  CHECK(last_of<body::message_user>(all).attachments ==
        std::vector<attachment_ref>{{"att-1", "a.txt", "text/plain", 3}});
  REQUIRE(world.command("a", input::remove{}));
  CHECK(rows("gone") == std::vector<std::string>{"gone\n" + tenant + '\n' + session});
}

TEST_CASE("session: feedback is a record a message and user, gone with what it was about") {
  using rows = std::vector<std::pair<std::string, std::string>>;
  actor_world world;
  const auto kept = [&] { return world.log()->list_documents("feedback", "", 10).value(); };
  const auto answer_of = [&](const std::string& session) {
    REQUIRE(world.say(session, "hello"));
    finish(*world.models.next(), "hi");
    const auto all = world.wait_for_type(session, event_type::llm_complete);
    return last_of<body::message_assistant>(all).message_id;
  };
  const auto a = answer_of("a"), ab = answer_of("ab");
  REQUIRE(world.command("a", input::feedback{{a, "helpful", {}, {}}}));
  REQUIRE(world.command("a", input::feedback{{a, "not_helpful", {"wrong"}, "no"}}));
  REQUIRE(world.command("ab", input::feedback{{ab, "helpful", {}, {}}}));
  CHECK_FALSE(world.command("ab", input::feedback{{a, "helpful", {}, {}}}));
  const std::string of_ab =
      R"({"message_id":")" + ab + R"(","rating":"helpful","tags":[],"comment":""})";
  const std::pair<std::string, std::string> second("tenant\nab\n" + ab + "\n", of_ab);
  CHECK(kept() == rows{{"tenant\na\n" + a + "\n",
                        R"({"message_id":")" + a +
                            R"(","rating":"not_helpful","tags":["wrong"],"comment":"no"})"},
                       second});
  REQUIRE(world.command("a", input::reset{}));
  CHECK(kept() == rows{second});
  REQUIRE(world.command("ab", input::remove{}));
  CHECK(kept().empty());
}
