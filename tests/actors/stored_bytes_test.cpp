// A tenant that has filled its part of the disk.
#include "actor_world.hpp"

using namespace soma;
using namespace soma::testing;

namespace {

world_options with_room(std::uint64_t bytes) {
  world_options options;
  options.limits.stored_bytes_max = bytes;
  return options;
}

}  // namespace

TEST_CASE("stored bytes: nothing new is begun past them, what runs ends, and deleting makes room") {
  actor_world world({}, with_room(100'000));
  REQUIRE(world.say("runs", "first"));
  const auto call = world.models.next();
  REQUIRE(world.say("large", std::string(100'000, 'x')));
  finish(*world.models.next(), "so");
  world.wait_for_type("large", event_type::llm_complete);

  const auto refused = [&](const std::string& session, input::command what) {
    const auto reply = world.command(session, std::move(what));
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == codes::quota_storage);
  };
  refused("runs", input::message{"more", {}, {}});
  refused("new", input::open{});
  refused("large", input::app_event{"note", "{}"});
  refused("large", input::retry{});
  refused("large", input::rename{"other"});
  refused("large", input::tool_request{"clock", "{}"});

  // The turn that runs notices nothing, and ends.
  finish(*call, "an answer");
  const auto said = world.wait_for_type("runs", event_type::llm_complete);
  CHECK(last_of<body::message_assistant>(said).text == "an answer");
  CHECK(last_of<body::message_assistant>(said).final);

  // What ends work or makes room is taken.
  CHECK(world.command("runs", input::pause{true}));
  refused("runs", input::pause{false});
  CHECK(world.command("large", input::reset{}));
  CHECK(world.command("runs", input::pause{false}));
  CHECK(world.say("new", "again"));
  finish(*world.models.next(), "so");
  CHECK(world.say("large", std::string(100'000, 'x')));
  finish(*world.models.next(), "so");
  world.wait_for_type("large", event_type::llm_complete);
  refused("new", input::message{"more", {}, {}});
  CHECK(world.command("large", input::remove{}));
  CHECK(world.say("new", "at last"));
}
