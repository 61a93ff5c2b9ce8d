// What each of the three wires is asked.
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>

#include "llm/wire.hpp"

using namespace soma;
using namespace soma::llm;

namespace {

namespace json = boost::json;

call two_calls(wire_kind wire) {
  call c;
  c.target.wire = wire;
  c.target.model = "m";
  c.target.api_key = secret_string("sk-very-secret-key");
  c.messages.push_back({"system", "be brief", {}, {}});
  c.messages.push_back({"user", "both", {}, {}});
  c.messages.push_back({"assistant",
                        "On it.",
                        {{"t1", "p1", "clock", "{}"}, {"t2", "p2", "adder", R"({"a":1})"}},
                        {}});
  c.messages.push_back({"tool", "noon", {}, "p1"});
  c.messages.push_back({"tool", "2", {}, "p2"});
  return c;
}

json::object body_of(const call& c) {
  const auto request = make_request(c);
  CHECK(request.body.find("sk-very") == request.body.npos);
  return json::parse(request.body).as_object();
}

void give_everything(profile& p) {
  p.temperature = 0.5;
  p.top_p = 0.9;
  p.max_tokens = 50;
  p.stop = {"END"};
  p.reasoning_effort = "low";
}

constexpr wire_kind wires[] = {wire_kind::openai_chat, wire_kind::openai_responses,
                               wire_kind::anthropic};

}  // namespace

TEST_CASE("wire: each has its path and its way to carry the key") {
  call c;
  c.target.api_key = secret_string("k");
  CHECK(make_request(c).path == "/chat/completions");
  CHECK(make_request(c).key_before == "Authorization: Bearer ");
  CHECK(make_request(c).version_header.empty());
  c.target.wire = wire_kind::openai_responses;
  CHECK(make_request(c).path == "/responses");
  c.target.wire = wire_kind::anthropic;
  CHECK(make_request(c).path == "/messages");
  CHECK(make_request(c).key_before == "x-api-key: ");
  CHECK(make_request(c).version_header == "anthropic-version: 2023-06-01\r\n");
  c.target.api_key = {};
  CHECK(make_request(c).key_before.empty());
  c.purpose = purpose::model_list;
  CHECK(make_request(c).method == "GET");
  CHECK(make_request(c).path == "/models");
  CHECK(make_request(c).body.empty());
}

TEST_CASE("anthropic request: results of parallel calls stand in one message, system apart") {
  auto c = two_calls(wire_kind::anthropic);
  c.tools = {{"clock", "tells time", ""}};
  const auto expected = json::parse(R"({"model":"m","max_tokens":4096,"system":"be brief",
    "messages":[
     {"role":"user","content":[{"type":"text","text":"both"}]},
     {"role":"assistant","content":[{"type":"text","text":"On it."},
       {"type":"tool_use","id":"p1","name":"clock","input":{}},
       {"type":"tool_use","id":"p2","name":"adder","input":{"a":1}}]},
     {"role":"user","content":[{"type":"tool_result","tool_use_id":"p1","content":"noon"},
       {"type":"tool_result","tool_use_id":"p2","content":"2"}]}],
    "tools":[{"name":"clock","description":"tells time",
      "input_schema":{"type":"object","properties":{}}}],"stream":true})");
  CHECK(json::value(body_of(c)) == expected);
}

TEST_CASE("anthropic request: thoughts go back first while thinking is on, and only its own") {
  auto c = two_calls(wire_kind::anthropic);
  c.target.reasoning_effort = "low";
  c.target.temperature = 0.5;
  c.messages[2].provider_state_json =
      R"([{"type":"thinking","thinking":"t","signature":"s"},{"type":"reasoning","id":"rs_1"}])";
  auto body = body_of(c);
  const auto blocks = body.at("messages").as_array()[1].as_object().at("content").as_array();
  CHECK(blocks[0] == json::parse(R"({"type":"thinking","thinking":"t","signature":"s"})"));
  CHECK(blocks[1].as_object().at("type") == "text");
  CHECK(blocks.size() == 4);
  CHECK(body.at("thinking") == json::parse(R"({"type":"enabled","budget_tokens":1024})"));
  CHECK(body.at("max_tokens") == 4096 + 1024);
  CHECK(!body.contains("temperature"));  // refused beside thinking
}

TEST_CASE("anthropic request: a turn that called tools without thinking goes on without") {
  auto c = two_calls(wire_kind::anthropic);
  c.target.reasoning_effort = "high";
  CHECK(!body_of(c).contains("thinking"));
  c.messages.push_back({"user", "again", {}, {}});  // the next turn is free to
  CHECK(body_of(c).contains("thinking"));
  c.prefix = "So";
  auto body = body_of(c);
  CHECK(!body.contains("thinking"));
  const auto& last = body.at("messages").as_array().back().as_object();
  CHECK(last.at("role") == "assistant");
  CHECK(last.at("content") == json::parse(R"([{"type":"text","text":"So"}])"));
}

TEST_CASE("responses request: items of reasoning go back, nothing is stored") {
  auto c = two_calls(wire_kind::openai_responses);
  c.target.reasoning_effort = "high";
  c.target.max_tokens = 9;
  c.messages[2].provider_state_json =
      R"([{"type":"reasoning","id":"rs_1","encrypted_content":"e"},{"type":"thinking"}])";
  c.tools = {{"clock", "tells time", R"({"type":"object"})"}};
  const auto expected = json::parse(R"({"model":"m","instructions":"be brief","input":[
     {"type":"message","role":"user","content":"both"},
     {"type":"reasoning","id":"rs_1","encrypted_content":"e"},
     {"type":"message","role":"assistant","content":"On it."},
     {"type":"function_call","call_id":"p1","name":"clock","arguments":"{}"},
     {"type":"function_call","call_id":"p2","name":"adder","arguments":"{\"a\":1}"},
     {"type":"function_call_output","call_id":"p1","output":"noon"},
     {"type":"function_call_output","call_id":"p2","output":"2"}],
    "tools":[{"type":"function","name":"clock","description":"tells time",
      "parameters":{"type":"object"},"strict":false}],
    "stream":true,"store":false,"include":["reasoning.encrypted_content"],
    "max_output_tokens":9,"reasoning":{"effort":"high","summary":"auto"}})");
  CHECK(json::value(body_of(c)) == expected);
}

TEST_CASE("wire: a provider's state that is no array of objects is left out") {
  for (const auto wire : wires)
    for (const char* state : {"[]", "rubbish", "[1,null,{}]", "{\"type\":\"reasoning\"}"}) {
      CAPTURE(state);
      auto c = two_calls(wire);
      const auto without = make_request(c).body;
      c.messages[2].provider_state_json = state;
      CHECK(make_request(c).body == without);
    }
}

TEST_CASE("wire: stop words and reasoning effort where each provider wants them") {
  auto c = two_calls(wire_kind::openai_chat);
  give_everything(c.target);
  auto body = body_of(c);
  CHECK(body.at("stop") == json::parse(R"(["END"])"));
  CHECK(body.at("reasoning_effort") == "low");
  CHECK(body.at("top_p") == 0.9);
  c.target.wire = wire_kind::anthropic;
  c.target.reasoning_effort.clear();
  body = body_of(c);
  CHECK(body.at("stop_sequences") == json::parse(R"(["END"])"));
  CHECK(body.at("top_p") == 0.9);
  CHECK(body.at("max_tokens") == 50);
}

TEST_CASE("wire: extra parameters are added and never replace what the gateway says") {
  for (const auto wire : wires) {
    auto c = two_calls(wire);
    c.tools = {{"clock", "", ""}};
    c.tool_choice_json = R"("auto")";
    give_everything(c.target);
    const auto plain = body_of(c);
    c.target.extra_json = R"({"seed":7,"metadata":{"a":"\u0000"}})";
    auto with = body_of(c);
    CHECK(with.at("seed") == 7);
    // Every member that is sent, sent again as an extra one.
    json::object evil;
    for (const auto& member : plain) evil[member.key()] = "evil";
    c.target.extra_json = json::serialize(evil);
    CHECK(body_of(c) == plain);
    for (const char* bad : {"[1]", "rubbish", "null"}) {
      c.target.extra_json = bad;
      CHECK(body_of(c) == plain);
    }
  }
}

TEST_CASE("wire: a relayed body keeps the caller's members and gets the target's model") {
  call c;
  c.target.model = "real";
  give_everything(c.target);
  c.target.extra_json = R"({"seed":7,"user":"profile","messages":[]})";
  c.raw_body = R"({"messages":[{"role":"user","content":"hi"}],"user":"me","top_p":0.1})";
  c.raw_members = {"messages", "user", "top_p"};
  const auto expected = json::parse(R"({"model":"real","messages":[{"role":"user","content":"hi"}],
    "user":"me","top_p":0.1,"temperature":0.5,"max_tokens":50,"stop":["END"],
    "reasoning_effort":"low","seed":7})");
  CHECK(json::parse(make_request(c).body) == expected);
  c.purpose = purpose::embeddings;
  c.raw_body = R"({"input":"x"})";
  CHECK(json::parse(make_request(c).body) == json::parse(R"({"model":"real","input":"x"})"));
  c.raw_body = "{}";
  CHECK(make_request(c).body == R"({"model":"real"})");
}
