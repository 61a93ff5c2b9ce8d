#include "http/openai/model_messages.hpp"

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

TEST_CASE(
    "model messages: a relayed Responses body is stored nowhere, and its thoughts come along") {
  llm::call c;
  c.target.wire = llm::wire_kind::openai_responses;
  c.target.model = "real";
  c.target.max_tokens = 7;
  c.target.temperature = 0.5;
  c.target.reasoning_effort = "low";
  REQUIRE(relay_responses_body(parsed(R"({"model":"profile","input":"hi","stream":true,"store":true,
    "tools":[{"type":"web_search"}],"temperature":1,"include":["file_search_call.results"]})"),
                               c));
  CHECK(json::value(parsed(llm::make_request(c).body)) == json::parse(R"({"model":"real",
    "input":"hi","stream":true,"store":false,"tools":[{"type":"web_search"}],"temperature":1,
    "include":["file_search_call.results","reasoning.encrypted_content"],
    "max_output_tokens":7,"reasoning":{"effort":"low"}})"));
  CHECK(llm::make_request(c).path == "/responses");
}

TEST_CASE("model messages: what a relayed Responses body says is stored is refused by its name") {
  for (const auto& [body, parameter] :
       {std::pair(R"({"input":"x","previous_response_id":"resp_1"})", "previous_response_id"),
        std::pair(R"({"input":"x","conversation":"conv_1"})", "conversation"),
        std::pair(R"({"input":"x","background":true})", "background"),
        std::pair(R"({"input":"x","prompt":{"id":"pmpt_1"}})", "prompt"),
        std::pair(R"({"input":[{"type":"item_reference","id":"msg_1"}]})", "input[0]")}) {
    llm::call c;
    const auto put = relay_responses_body(parsed(body), c);
    REQUIRE_MESSAGE(!put, parameter);
    CHECK(put.error().code == "request.unsupported");
    CHECK(put.error().parameter == parameter);
  }
}
