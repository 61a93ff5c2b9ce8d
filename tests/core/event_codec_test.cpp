#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "core/event.hpp"

using namespace soma;

namespace {

const std::string uuid = "11111111-2222-4333-8444-555555555555";

std::vector<event_body> one_of_each() {
  const std::string hard = "q\"\\\n\x01 \xC3\xA9 \xF0\x9F\x98\x80";
  body::llm_request request;
  request.invocation_id = request.message_id = request.turn_id = uuid;
  request.profile = "p";
  request.model = "m";
  request.provider = "x";
  request.persona_version = "v";
  request.context_from_turn = uuid;
  request.resume_offset = 0;
  body::llm_complete complete;
  complete.invocation_id = complete.message_id = complete.turn_id = uuid;
  complete.finish_reason = "error";
  complete.usage = {1, UINT64_MAX};
  complete.thinking_bytes = 7;
  complete.error = failure{"c", hard, true};
  body::tool_result result;
  result.tool_call_id = result.turn_id = uuid;
  result.status = "error";
  result.output_json = R"({"a":[1,null]})";
  result.error = failure{"c", "d", false};
  return {
      body::session_open{"p", hard, uuid, "3.4"},
      body::message_user{uuid, uuid, hard, {{uuid}, {uuid, hard, "text/plain", 7}}},
      body::memory_recall{uuid, hard, "[]"},
      request,
      body::llm_delta{uuid, uuid, 7, "", true},
      complete,
      body::llm_restart{uuid, uuid, 2, "r"},
      body::message_assistant{uuid, uuid, hard, {{uuid, "pc", "t", "{\"a\":1}"}}, "{}", true},
      body::tool_call{uuid, uuid, uuid, "pc", "t", "{}", "model"},
      body::tool_progress{uuid, uuid, "stdout", hard},
      result,
      body::memory_write{uuid, uuid, uuid, uuid, "stored"},
      body::session_state{true, hard},
      body::app_event{"n", R"([{"x":"y"}])"},
      body::error{{"c", hard, true}, "r", uuid},
      body::session_close{"deleted"},
  };
}

event wrap(event_body b) {
  return {{{3, 42}, {tenant_id{"t"}, session_id{uuid}}, "u", "r", "tr", "ik", 1'700'000'000'123},
          std::move(b)};
}

}  // namespace

TEST_CASE("event codec: every type reads back as it was written") {
  const auto bodies = one_of_each();
  REQUIRE(bodies.size() == event_type_max);
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const event e = wrap(bodies[i]);
    CHECK(bodies[i].index() == i);
    CHECK(parse_event_type(to_string(e.type())) == e.type());
    const auto json = encode(e);
    CAPTURE(json);
    CHECK(json.find('\n') == std::string::npos);
    const auto read = decode(json);
    REQUIRE(read.has_value());
    CHECK(read->body.index() == i);
    CHECK(read->meta.id == e.meta.id);
    CHECK(read->meta.created_at_ms == e.meta.created_at_ms);
    // Encoding is a function of all members: equal text means that no member was lost.
    CHECK(encode(*read) == json);
  }
}

TEST_CASE("event codec: no cut of an envelope is taken for one") {
  for (const auto& b : one_of_each()) {
    const auto json = encode(wrap(b));
    for (std::size_t n = 0; n < json.size(); ++n) {
      const auto read = decode(std::string_view(json).substr(0, n));
      CAPTURE(json.substr(0, n));
      CHECK(read.has_error());
    }
  }
}

TEST_CASE("event codec: what is no envelope is storage.corrupt") {
  for (const char* bad : {"", "null", "[]", "{}", "{\"meta\":{}}",
                          R"({"meta":{"event_id":"1.01"},"type":"error","payload":{}})",
                          R"({"meta":{"event_id":"1.1"},"type":"nothing","payload":{}})",
                          R"({"meta":{"event_id":"1.1"},"type":"error"})"})
    CHECK(decode(bad).error().code == codes::storage_corrupt);
}
