#include "http/model_messages.hpp"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "llm/wire.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::http;

namespace {

namespace json = boost::json;

json::object parsed(std::string_view text) {
  return json::parse({text.data(), text.size()}).as_object();
}

std::string refusal_of(std::string_view body) {
  llm::call c;
  const auto read = read_chat_body(parsed(body), c);
  return read ? "taken" : read.error().detail;
}

}  // namespace

TEST_CASE("model messages: an invoke body becomes a call, with its overrides") {
  llm::call c;
  c.target.model = "m";
  REQUIRE(read_invoke_body(parsed(R"({"messages":[{"role":"user","content":"hi"},
    {"role":"assistant","content":"","tool_calls":[{"id":"1","name":"clock","inputs":{"a":[1]}}]},
    {"role":"tool","content":"noon","tool_call_id":"1"}],
    "tools":[{"name":"clock","inputs":{"type":"object"}}],
    "overrides":{"temperature":0,"max_tokens":5,"stop":["x"],"model":"n","base_url":"http://evil"}})"),
                           c));
  REQUIRE(c.messages.size() == 3);
  CHECK(c.messages[1].tool_calls[0].inputs_json == R"({"a":[1]})");
  CHECK(c.messages[2].provider_call_id == "1");
  CHECK(c.tools[0].inputs_schema_json == R"({"type":"object"})");
  CHECK(c.target.temperature == 0.0);
  CHECK(c.target.max_tokens == 5);
  CHECK(c.target.model == "n");
  CHECK(c.target.base_url.empty());  // never the caller's
  const auto orphan =
      read_invoke_body(parsed(R"({"messages":[{"role":"tool","content":"noon"}]})"), c);
  CHECK(orphan.error().code == "request.invalid");
}

TEST_CASE("model messages: a chat body becomes a call for providers of another kind") {
  llm::call c;
  c.target.wire = llm::wire_kind::anthropic;
  REQUIRE(read_chat_body(parsed(R"({"model":"x","max_completion_tokens":9,"stop":"END",
    "messages":[{"role":"developer","content":"brief"},
    {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
    {"role":"assistant","content":null,"tool_calls":[
      {"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},
      {"id":"2","type":"function","function":{"name":"g","arguments":"not json"}}]},
    {"role":"tool","tool_call_id":"1","content":"one"}],
    "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],
    "tool_choice":{"type":"function","function":{"name":"f"}}})"),
                         c));
  CHECK(c.messages[0].role == "system");
  CHECK(c.messages[1].text == "ab");
  CHECK(c.messages[2].tool_calls[0].inputs_json == R"({"a":1})");
  CHECK(c.messages[2].tool_calls[1].inputs_json == "{}");
  CHECK(c.tool_choice_json == R"({"type":"tool","name":"f"})");
  CHECK(c.target.max_tokens == 9);
  CHECK(c.target.stop == std::vector<std::string>{"END"});
}

TEST_CASE("model messages: each choice of a tool in the words of each provider") {
  const auto choice = [](llm::wire_kind wire, const char* text) {
    llm::call c;
    c.target.wire = wire;
    REQUIRE(read_chat_body(parsed(R"({"messages":[{"role":"user","content":"x"}],"tool_choice":)" +
                                  std::string(text) + "}"),
                           c));
    return c.tool_choice_json;
  };
  CHECK(choice(llm::wire_kind::anthropic, R"("auto")") == R"({"type":"auto"})");
  CHECK(choice(llm::wire_kind::anthropic, R"("none")") == R"({"type":"none"})");
  CHECK(choice(llm::wire_kind::anthropic, R"("required")") == R"({"type":"any"})");
  CHECK(choice(llm::wire_kind::anthropic, "7").empty());
  CHECK(choice(llm::wire_kind::openai_responses, R"("required")") == R"("required")");
  CHECK(
      choice(llm::wire_kind::openai_responses, R"({"type":"function","function":{"name":"f"}})") ==
      R"({"type":"function","name":"f"})");
}

TEST_CASE("model messages: what cannot be said to every provider is refused by its member") {
  for (const char* body :
       {R"({"messages":[]})", R"({"messages":"x"})", R"({"messages":[1]})",
        R"({"messages":[{"role":"king","content":"x"}]})",
        R"({"messages":[{"role":"user","content":7}]})",
        R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]})",
        R"({"messages":[{"role":"assistant","tool_calls":[{"id":"1"}]}]})"}) {
    CAPTURE(body);
    CHECK(refusal_of(body).starts_with("messages: "));
  }
  CHECK(refusal_of(R"({"messages":[{"role":"user","content":"x"}],"tools":[{}]})")
            .starts_with("tools: "));
}

TEST_CASE("model messages: a relayed body keeps its members, its usage always asked for") {
  llm::call c;
  c.target.model = "real";
  relay_chat_body(parsed(R"({"model":"profile","messages":[{"role":"user","content":"é\u0000"}],
    "stream":true,"stream_options":{"include_usage":false},"base_url":"http://evil",
    "response_format":{"type":"json_object"},"unknown":[1,null]})"),
                  c);
  const auto sent = parsed(llm::make_request(c).body);
  CHECK(json::value(sent) == json::parse(R"({"model":"real",
    "messages":[{"role":"user","content":"é\u0000"}],"stream":true,
    "response_format":{"type":"json_object"},"unknown":[1,null],
    "stream_options":{"include_usage":true}})"));
  llm::call whole;
  relay_chat_body(parsed(R"({"model":"p","messages":[],"stream_options":{}})"), whole);
  CHECK(whole.raw_body == R"({"messages":[]})");
}
