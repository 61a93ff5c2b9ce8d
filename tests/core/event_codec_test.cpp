#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "core/event.hpp"
#include "core/json_member.hpp"
#include "core/json_proof.hpp"

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
      body::memory_recall{uuid, hard, "[]", true, hard, 7},
      request,
      body::llm_delta{uuid, uuid, 7, "", true},
      complete,
      body::llm_restart{uuid, uuid, 2, "r"},
      body::message_assistant{uuid, uuid, hard, {{uuid, "pc", "t", "{\"a\":1}"}}, "{}", true},
      body::tool_call{uuid, uuid, uuid, "pc", "t", "{}", "model"},
      body::tool_progress{uuid, uuid, "stdout", hard},
      result,
      body::memory_write{uuid, uuid, uuid, uuid, "stored"},
      body::session_state{true, hard, sharing{true, {"ann", hard}}},
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

namespace {

// Values that one reader or another refuses, rounds or overflows at; all are JSON.
const std::vector<std::string>& extremes() {
  static const std::vector<std::string> all = {
      "0",
      "-0",
      "0.0",
      "1.10",
      "9223372036854775807",
      "9223372036854775808",
      "18446744073709551615",
      "18446744073709551616",
      "100000000000000000000",
      "-9223372036854775808",
      "-9223372036854775809",
      std::string(400, '9'),
      "1e308",
      "1e309",
      "-1e400",
      "1e99999",
      "5e-324",
      "1e-400",
      "1E+5",
      "0.1234567890123456789012345678901234567890",
      "2147483648e-10",
      "\"\\ud83d\\ude00\"",
      "\"Infinity\"",
      "\"\\\\\\\"Infinity\"",
      "null",
      "true",
      std::string(raw_json_depth_max, '[') + std::string(raw_json_depth_max, ']')};
  return all;
}

// Every event with a member of JSON, holding this.
std::vector<event_body> with_raw(const std::string& json) {
  const auto object = json.front() == '[' ? "[" + json.substr(2, json.size() - 4) + "]"
                                          : "{\"a\":[" + json + ",{\"b\":" + json + "}]}";
  std::vector<event_body> all;
  for (const auto& raw : {json, object}) {
    body::tool_result result;
    result.tool_call_id = result.turn_id = uuid;
    result.status = "success";
    result.output_json = raw;
    all.push_back(body::app_event{"n", raw});
    all.push_back(body::memory_recall{uuid, "q", raw});
    all.push_back(body::tool_call{uuid, uuid, uuid, "pc", "t", raw, "model"});
    all.push_back(body::message_assistant{uuid, uuid, "", {{uuid, "pc", "t", raw}}, raw, true});
    all.push_back(std::move(result));
  }
  return all;
}

}  // namespace

TEST_CASE("event codec: whatever passes the gate reads back as it was, numbers of any size") {
  for (const auto& json : extremes()) {
    CAPTURE(json);
    CHECK(is_raw_json(json));
    for (const auto& b : with_raw(json)) {
      const auto line = encode(wrap(b));
      CAPTURE(line);
      const auto read = decode(line);
      REQUIRE(read.has_value());
      CHECK(encode(*read) == line);
    }
  }
}

TEST_CASE("event codec: what is not JSON, or deeper than an event may be, does not pass the gate") {
  for (const std::string bad :
       {"",        " ",        "{",          "1.",     "01",     "+1",
        ".5",      "1e",       "Infinity",   "NaN",    "nul",    "1 2",
        "{}x",     "[1,]",     "{\"a\":1,}", "{a:1}",  "'a'",    "\"\\ud800\"",
        "\"\\x\"", "\"\x01\"", "\"\xff\"",   "//x\n1", "[1]\xff"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_raw_json(bad));
    CHECK(decode(encode(wrap(body::app_event{"n", bad.empty() ? "{" : bad}))).has_error() ==
          (bad != "Infinity"));
  }
  CHECK_FALSE(is_raw_json(std::string(raw_json_depth_max + 1, '[') +
                          std::string(raw_json_depth_max + 1, ']')));
}

TEST_CASE("event codec: an infinite number that an older version wrote reads as one that is JSON") {
  const auto read = decode(
      encode(wrap(body::app_event{"n", R"({"a":-Infinity,"b":[Infinity],"c":"Infinity"})"})));
  REQUIRE(read.has_value());
  CHECK(std::get<body::app_event>(read->body).data_json ==
        R"({"a":-1e99999,"b":[1e99999],"c":"Infinity"})");
}

TEST_CASE("json: a member is found by its name however that is written, its text untouched") {
  CHECK(json_member(R"({"n\u0061me":"n","d\u0061ta": 1.10})", "data") == "1.10");
  CHECK(json_member(R"({"a":1,"data":[100000000000000000000, 1E400]})", "data") ==
        "[100000000000000000000,1E400]");
  CHECK(json_member(R"({"a":1})", "data").empty());
  CHECK(json_member("[1]", "data").empty());
}

TEST_CASE("json: numbers past 64 bits or past every double are found, none else") {
  CHECK_FALSE(number_past(R"([18446744073709551615,-9223372036854775808,1e308,"1e999"])",
                          number_bound::exact));
  CHECK(number_past("[1,18446744073709551616]", number_bound::exact) == "18446744073709551616");
  CHECK_FALSE(number_past("[1,18446744073709551616]", number_bound::finite));
  CHECK(number_past("{\"a\":-1e400}", number_bound::finite) == "-1e400");
}
