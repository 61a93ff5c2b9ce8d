#include "core/payload_rules.hpp"

#include <doctest/doctest.h>

#include "core/feedback.hpp"

using namespace soma;

namespace {

event of(event_body b) {
  event e;
  e.meta.id = {1, 1};
  e.meta.created_at_ms = 1000;
  e.body = std::move(b);
  return e;
}

bool good(event_body b) {
  return !bad_event(of(std::move(b)), 1000);
}

}  // namespace

TEST_CASE("payload rules: titles are counted in characters, names follow their pattern") {
  std::string umlauts;
  for (int i = 0; i < 200; ++i) umlauts += "ä";
  CHECK_FALSE(bad_title(umlauts));
  CHECK(bad_title(umlauts + "x"));
  for (const auto* name : {"a", "order.made-2", "soma.feedback"}) CHECK_FALSE(bad_event_name(name));
  CHECK_FALSE(bad_event_name(std::string(64, 'a')));
  for (const auto* name : {"", "A", "1a", "a b", "aB", "a/b"}) {
    CAPTURE(name);
    CHECK(bad_event_name(name));
  }
  CHECK(bad_event_name(std::string(65, 'a')));
  CHECK_FALSE(bad_persona(""));
  CHECK_FALSE(bad_persona("Anna_1.2-x"));
  CHECK(bad_persona("_x"));
  CHECK(bad_persona("a b"));
  CHECK(bad_persona(std::string(101, 'a')));
}

TEST_CASE("payload rules: what an event says is bounded, and the server's own names are its own") {
  CHECK(good(body::session_open{"p", "title", {}, {}}));
  CHECK_FALSE(good(body::session_open{"p", std::string(201, 't'), {}, {}}));
  CHECK_FALSE(good(body::session_state{false, std::string(880'000, 't')}));
  CHECK(good(body::app_event{"order", "{}"}));
  CHECK(good(body::app_event{"order", std::string(200, '[') + std::string(200, ']')}));
  const auto deep = std::string(201, '[') + std::string(201, ']');
  CHECK_FALSE(good(body::app_event{"order", deep}));
  CHECK_FALSE(good(body::tool_call{"c", {}, {}, {}, "tool", deep, "user"}));
  std::string umlauts;
  for (std::size_t i = 0; i < payload_limits::message_points_max; ++i) umlauts += "ä";
  CHECK(good(body::message_user{"m", "m", umlauts, {}}));
  CHECK_FALSE(good(body::message_user{"m", "m", umlauts + "x", {}}));
  CHECK_FALSE(good(body::app_event{"A B", "{}"}));
  CHECK_FALSE(good(body::app_event{"soma.own", "{}"}));
  CHECK_FALSE(good(body::app_event{"soma.feedback", "{}"}));
  feedback said{"m", "helpful", {}, {}};
  CHECK(good(body::app_event{"soma.feedback", encode(said)}));
  body::tool_result done;
  done.status = "success";
  CHECK(good(done));
  done.status = "well";
  CHECK_FALSE(good(done));
  body::llm_complete complete;
  complete.finish_reason = "stop";
  CHECK(good(complete));
  complete.error = failure{std::string(300, 'c'), "", false};
  CHECK_FALSE(good(complete));
  body::message_user said_to{"m", "t", "text", {{"id"}}};
  CHECK(good(said_to));
  said_to.attachments.resize(33);
  CHECK_FALSE(good(said_to));
  body::message_assistant answer{"m", "t", "text", std::vector<tool_invocation>(129), {}, true};
  CHECK_FALSE(good(answer));
}

TEST_CASE("payload rules: an event's own number and time are ones that every reader can hold") {
  auto e = of(body::session_close{"reset"});
  CHECK_FALSE(bad_event(e, 1000));
  e.meta.created_at_ms = 1000 + payload_limits::ahead_ms_max + 1;
  CHECK(bad_event(e, 1000));
  e.meta.created_at_ms = -1;
  CHECK(bad_event(e, 1000));
  e.meta.created_at_ms = 0;
  for (const auto seq : {std::uint64_t{0}, std::uint64_t{1} << 53, UINT64_MAX - 1}) {
    e.meta.id.seq = seq;
    CHECK(bad_event(e, 1000));
  }
  e.meta.id.seq = (std::uint64_t{1} << 53) - 1;
  CHECK_FALSE(bad_event(e, 1000));
  e.meta.user_id = std::string(129, 'u');
  CHECK(bad_event(e, 1000));
}
