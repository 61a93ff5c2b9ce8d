// What OpenAI's face asks of providers that speak another way, and what it refuses to say.
#include "http/openai/model_ask.hpp"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "llm/wire.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::http;
using llm::wire_kind;

namespace {

namespace json = boost::json;

json::object parsed(std::string_view text) {
  return json::parse({text.data(), text.size()}).as_object();
}

using reader = result<model_ask> (*)(const json::object&);

result<llm::call> put(reader read, wire_kind wire, std::string_view body) {
  auto ask = read(parsed(body));
  if (!ask) return ask.error();
  llm::call c;
  c.target.wire = wire;
  c.target.model = "m";
  if (auto done = put_ask(std::move(*ask), c); !done) return done.error();
  return c;
}

json::object sent(reader read, wire_kind wire, std::string_view body) {
  const auto c = put(read, wire, body);
  REQUIRE_MESSAGE(c, (c ? std::string() : c.error().detail));
  return parsed(llm::make_request(*c).body);
}

// The parameter that is refused; empty where nothing is.
std::string refused(reader read, wire_kind wire, std::string_view body) {
  const auto c = put(read, wire, body);
  return c ? std::string() : c.error().parameter;
}

std::string with(std::string_view members) {
  return R"({"model":"p","messages":[{"role":"user","content":"x"}],)" + std::string(members) + "}";
}

json::value value_of(std::string_view text) {
  return json::parse({text.data(), text.size()});
}

constexpr const char* picture = "data:image/png;base64,iVBORw0KGgo=";

}  // namespace

TEST_CASE("model ask: a chat body becomes a call for providers of another kind") {
  const auto c = put(read_chat_ask, wire_kind::anthropic, R"({"model":"x",
    "max_completion_tokens":9,"stop":"END",
    "messages":[{"role":"developer","content":"brief"},
    {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
    {"role":"assistant","content":null,"tool_calls":[
      {"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},
      {"id":"2","type":"function","function":{"name":"g","arguments":"not json"}}]},
    {"role":"tool","tool_call_id":"1","content":"one"}],
    "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],
    "tool_choice":{"type":"function","function":{"name":"f"}}})");
  REQUIRE(c);
  CHECK(c->messages[0].role == "system");
  CHECK(c->messages[1].text == "ab");
  CHECK(c->messages[1].content_json.empty());
  CHECK(c->messages[2].tool_calls[0].inputs_json == R"({"a":1})");
  CHECK(c->messages[2].tool_calls[1].inputs_json == "{}");
  CHECK(c->tool_choice_json == R"({"type":"tool","name":"f"})");
  CHECK(c->target.max_tokens == 9);
  CHECK(c->target.stop == std::vector<std::string>{"END"});
}

TEST_CASE("model ask: each choice of a tool in the words of each provider") {
  const auto choice = [](wire_kind wire, const std::string& text, const char* more = "") {
    return put(read_chat_ask, wire,
               with(R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":)" +
                    text + more))
        ->tool_choice_json;
  };
  const auto named = R"({"type":"function","function":{"name":"f"}})";
  CHECK(choice(wire_kind::anthropic, R"("auto")") == R"({"type":"auto"})");
  CHECK(choice(wire_kind::anthropic, R"("none")") == R"({"type":"none"})");
  CHECK(choice(wire_kind::anthropic, R"("required")") == R"({"type":"any"})");
  CHECK(choice(wire_kind::anthropic, R"("auto")", R"(,"parallel_tool_calls":false)") ==
        R"({"type":"auto","disable_parallel_tool_use":true})");
  CHECK(choice(wire_kind::openai_responses, R"("required")") == R"("required")");
  CHECK(choice(wire_kind::openai_responses, named) == R"({"type":"function","name":"f"})");
  CHECK(refused(read_chat_ask, wire_kind::anthropic, with(R"("tool_choice":7)")) == "tool_choice");
  const auto body =
      sent(read_chat_ask, wire_kind::openai_responses, with(R"("parallel_tool_calls":false,
    "tools":[{"type":"function","function":{"name":"f","strict":true}}])"));
  CHECK(body.at("parallel_tool_calls") == false);
  CHECK(body.at("tools").at(0).at("strict") == true);
}

TEST_CASE("model ask: an answer's format in the words of each provider") {
  const auto schema = with(R"("response_format":{"type":"json_schema","json_schema":{"name":"city",
    "strict":true,"schema":{"type":"object","properties":{"n":{"type":"string"}}}}})");
  CHECK(sent(read_chat_ask, wire_kind::openai_responses, schema).at("text") ==
        value_of(R"({"format":{"type":"json_schema","name":"city","strict":true,
          "schema":{"type":"object","properties":{"n":{"type":"string"}}}}})"));
  const auto made = sent(read_chat_ask, wire_kind::anthropic, schema);
  CHECK(made.at("tools").at(0).at("name") == "json_answer");
  CHECK(made.at("tools").at(0).at("input_schema").at("properties").at("n").at("type") == "string");
  CHECK(made.at("tool_choice") == value_of(R"({"type":"tool","name":"json_answer"})"));
  const auto loose = with(R"("response_format":{"type":"json_object"})");
  CHECK(sent(read_chat_ask, wire_kind::openai_responses, loose).at("text") ==
        value_of(R"({"format":{"type":"json_object"}})"));
  CHECK(sent(read_chat_ask, wire_kind::anthropic, loose).at("tools").as_array().size() == 1);
  const auto plain = with(R"("response_format":{"type":"text"})");
  CHECK_FALSE(sent(read_chat_ask, wire_kind::anthropic, plain).contains("tools"));
  // Beside tools of the caller's the model has to call one of them or give the answer.
  const auto both =
      sent(read_chat_ask, wire_kind::anthropic, with(R"("response_format":{"type":"json_object"},
    "reasoning_effort":"high","tools":[{"type":"function","function":{"name":"f"}}])"));
  CHECK(both.at("tools").as_array().size() == 2);
  CHECK(both.at("tool_choice") == value_of(R"({"type":"any"})"));
  CHECK_FALSE(both.contains("thinking"));
  CHECK(refused(read_chat_ask, wire_kind::anthropic, with(R"("response_format":{"type":"xml"})")) ==
        "response_format");
}

TEST_CASE("model ask: what a model said by the tool of formats is its text") {
  llm::stream_end how;
  how.finish_reason = "tool_calls";
  how.tool_calls = {{{}, "1", "json_answer", R"({"n":"Rome"})"}};
  CHECK(format_as_text(how) == R"({"n":"Rome"})");
  CHECK(how.tool_calls.empty());
  CHECK(how.finish_reason == "stop");
  how.finish_reason = "length";
  how.tool_calls = {{{}, "1", "json_answer", R"({"_invalid_arguments":"{\"n\":\"Ro"})"}};
  CHECK(format_as_text(how) == R"({"n":"Ro)");
  CHECK(how.finish_reason == "length");
  how.finish_reason = "tool_calls";
  how.tool_calls = {{{}, "1", "clock", "{}"}};
  CHECK(format_as_text(how).empty());
  CHECK(how.tool_calls.size() == 1);
}

TEST_CASE("model ask: a parameter is said or refused by its name, and never dropped") {
  struct row {
    const char* members;
    const char* parameter;
    bool responses, anthropic;  // takes it
  };
  for (const auto& r : {row{R"("seed":7)", "seed", false, false},
                        row{R"("stop":["a"])", "stop", true, true},
                        row{R"("logprobs":true)", "logprobs", false, false},
                        row{R"("top_logprobs":2)", "top_logprobs", false, false},
                        row{R"("frequency_penalty":0.5)", "frequency_penalty", false, false},
                        row{R"("presence_penalty":-1)", "presence_penalty", false, false},
                        row{R"("logit_bias":{"7":1})", "logit_bias", false, false},
                        row{R"("n":2)", "n", false, false},
                        row{R"("user":"u1")", "user", true, true},
                        row{R"("safety_identifier":"u1")", "safety_identifier", true, true},
                        row{R"("metadata":{"a":"b"})", "metadata", true, false},
                        row{R"("service_tier":"flex")", "service_tier", true, false},
                        row{R"("verbosity":"low")", "verbosity", true, false},
                        row{R"("prompt_cache_key":"k")", "prompt_cache_key", true, false},
                        row{R"("reasoning_effort":"low")", "reasoning_effort", true, true},
                        row{R"("reasoning_effort":"xhigh")", "reasoning_effort", true, false},
                        row{R"("modalities":["text","audio"])", "modalities", false, false},
                        row{R"("audio":{"voice":"x"})", "audio", false, false},
                        row{R"("prediction":{})", "prediction", false, false},
                        row{R"("web_search_options":{})", "web_search_options", false, false},
                        row{R"("functions":[{"name":"f"}])", "functions", false, false},
                        row{R"("unheard_of":1)", "unheard_of", false, false}}) {
    CAPTURE(r.members);
    const auto by = [&](wire_kind wire) { return refused(read_chat_ask, wire, with(r.members)); };
    CHECK(by(wire_kind::openai_responses) == (r.responses ? "" : r.parameter));
    CHECK(by(wire_kind::anthropic) == (r.anthropic ? "" : r.parameter));
  }
  CHECK(sent(read_chat_ask, wire_kind::anthropic, with(R"("user":"u1","stop":"a")")) ==
        parsed(R"({"model":"m","max_tokens":4096,"messages":[{"role":"user","content":[
          {"type":"text","text":"x"}]}],"stream":true,"stop_sequences":["a"],
          "metadata":{"user_id":"u1"}})"));
  const auto body = sent(read_chat_ask, wire_kind::openai_responses,
                         with(R"("user":"u1","verbosity":"low","metadata":{"a":"b"})"));
  CHECK(body.at("user") == "u1");
  CHECK(body.at("text") == value_of(R"({"verbosity":"low"})"));
  CHECK(body.at("metadata") == value_of(R"({"a":"b"})"));
}

TEST_CASE("model ask: a value that asks for nothing passes, one of a wrong kind does not") {
  const auto neutral = with(R"("n":1,"frequency_penalty":0.0,"presence_penalty":0,"logprobs":false,
    "logit_bias":{},"seed":null,"metadata":{},"store":true,"service_tier":"auto","stop":null,
    "modalities":["text"],"tools":null,"tool_choice":null,"response_format":null,"user":null)");
  CHECK(refused(read_chat_ask, wire_kind::openai_responses, neutral).empty());
  CHECK(refused(read_chat_ask, wire_kind::anthropic, neutral).empty());
  for (const auto& [members, parameter] :
       {std::pair(R"("temperature":"hot")", "temperature"), std::pair(R"("top_p":[])", "top_p"),
        std::pair(R"("max_tokens":0)", "max_tokens"),
        std::pair(R"("max_tokens":1.5)", "max_tokens"), std::pair(R"("stop":[7])", "stop"),
        std::pair(R"("tools":{})", "tools"), std::pair(R"("tools":[{}])", "tools[0]"),
        std::pair(R"("tools":[{"type":"custom","custom":{"name":"x"}}])", "tools[0].type"),
        std::pair(R"("parallel_tool_calls":1)", "parallel_tool_calls"),
        std::pair(R"("reasoning_effort":1)", "reasoning_effort")}) {
    CAPTURE(members);
    CHECK(refused(read_chat_ask, wire_kind::anthropic, with(members)) == parameter);
  }
  const auto stop = [](std::size_t bytes) {
    return with(R"("stop":["a",")" + std::string(bytes, 'x') + "\"]");
  };
  CHECK(refused(read_chat_ask, wire_kind::openai_responses, stop(1025)) == "stop");
  CHECK(refused(read_chat_ask, wire_kind::openai_responses, stop(1024)).empty());
}

TEST_CASE("model ask: messages that are none are refused where they stand") {
  const auto refusal = [](const std::string& messages) {
    return refused(read_chat_ask, wire_kind::anthropic, R"({"messages":)" + messages + "}");
  };
  CHECK(refusal("[]") == "messages");
  CHECK(refusal(R"("x")") == "messages");
  CHECK(refusal("[1]") == "messages[0]");
  CHECK(refusal(R"([{"role":"king","content":"x"}])") == "messages[0].role");
  CHECK(refusal(R"([{"role":"user","content":7}])") == "messages[0].content");
  CHECK(refusal(R"([{"role":"tool","content":"x"}])") == "messages[0].tool_call_id");
  CHECK(refusal(R"([{"role":"assistant","tool_calls":[{"id":"1"}]}])") ==
        "messages[0].tool_calls[0]");
  for (const char* part :
       {R"({"type":"image_url","image_url":{}})", R"({"type":"image_url","image_url":"x"})",
        R"({"type":"image_url","image_url":{"url":"file:///etc/passwd"}})",
        R"({"type":"image_url","image_url":{"url":"data:image/svg+xml;base64,AAAA"}})",
        R"({"type":"image_url","image_url":{"url":"data:image/png;base64,é"}})",
        R"({"type":"image_url","image_url":{"url":"data:image/png;base64,"}})",
        R"({"type":"input_audio","input_audio":{}})",
        R"({"type":"file","file":{"file_id":"f"}})"}) {
    CAPTURE(part);
    CHECK(refusal(R"([{"role":"user","content":[)" + std::string(part) + "]}]")
              .starts_with("messages[0].content[0]"));
  }
  std::string many;
  for (std::size_t i = 0; i <= ask_media_max; ++i)
    many += std::string(i ? "," : "") + R"({"type":"image_url","image_url":{"url":"https://x/y"}})";
  CHECK(refusal(R"([{"role":"user","content":[)" + many + "]}]") == "messages");
}

TEST_CASE(
    "model ask: pictures, files and refusals keep their place in the words of each provider") {
  const auto body = R"({"messages":[{"role":"user","content":[{"type":"text","text":"is"},
    {"type":"image_url","image_url":{"url":")" +
                    std::string(picture) + R"(","detail":"low"}},
    {"type":"text","text":"like"},{"type":"image_url","image_url":{"url":"https://x/y.png"}},
    {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}}]},
    {"role":"assistant","content":[{"type":"refusal","refusal":"no"}]},
    {"role":"assistant","content":null,"refusal":"never"}]})";
  CHECK(sent(read_chat_ask, wire_kind::openai_responses, body).at("input").at(0) ==
        value_of(R"({"type":"message","role":"user","content":[
          {"type":"input_text","text":"is"},
          {"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"},
          {"type":"input_text","text":"like"},{"type":"input_image","image_url":"https://x/y.png"},
          {"type":"input_file","file_data":"data:application/pdf;base64,JVBERi0=",
           "filename":"a.pdf"}]})"));
  CHECK(sent(read_chat_ask, wire_kind::openai_responses, body).at("input").at(1).at("content") ==
        value_of(R"([{"type":"refusal","refusal":"no"}])"));
  const auto messages = sent(read_chat_ask, wire_kind::anthropic, body).at("messages");
  CHECK(messages.at(0).at("content") == value_of(R"([{"type":"text","text":"is"},
    {"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},
    {"type":"text","text":"like"},{"type":"image","source":{"type":"url","url":"https://x/y.png"}},
    {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="},
     "title":"a.pdf"}])"));
  CHECK(messages.at(1).at("content") == value_of(R"([{"type":"text","text":"no\n\nnever"}])"));
}

TEST_CASE("model ask: a picture is taken as clients write it, and given on as what it is") {
  const auto image = [](const std::string& url) {
    return R"({"type":"image_url","image_url":{"url":")" + url + "\"}}";
  };
  const std::string data = "iVBORw0KGgo=";
  for (const auto& part :
       {R"({"type":"image_url","image_url":"data:image/png;base64,)" + data + "\"}",
        R"({"type":"input_image","image_url":{"url":"data:image/png;base64,)" + data + "\"}}",
        image("data:image/jpg;base64," + data), image("data:image/jpeg;base64," + data),
        image("data:application/octet-stream;base64," + data),
        image("data:image/png;charset=utf-8;base64," + data),
        image("DATA:image/PNG;BASE64," + data),
        image(R"(data:image/png;base64,iVBO\r\nRw0K\nGgo=\n)"),
        image("data:image/png;base64,iVBORw0KGgo"),
        R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":")" + data +
            "\"}}"}) {
    CAPTURE(part);
    const auto body = R"({"messages":[{"role":"user","content":[)" + part + "]}]}";
    CHECK(sent(read_chat_ask, wire_kind::anthropic, body).at("messages").at(0).at("content") ==
          value_of(R"([{"type":"image","source":{"type":"base64","media_type":"image/png",
            "data":"iVBORw0KGgo="}}])"));
    CHECK(sent(read_chat_ask, wire_kind::openai_responses, body).at("input").at(0).at("content") ==
          value_of(R"([{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}])"));
  }
  const auto type_of = [&](const std::string& url) {
    const auto body = R"({"messages":[{"role":"user","content":[)" + image(url) + "]}]}";
    return sent(read_chat_ask, wire_kind::anthropic, body)
        .at("messages")
        .at(0)
        .at("content")
        .at(0)
        .at("source")
        .at("media_type");
  };
  CHECK(type_of("data:image/jpg;base64,AAAA") == "image/jpeg");
  CHECK(type_of("data:image/png;base64,_9j_4AAQ") == "image/jpeg");
  CHECK(refused(read_chat_ask, wire_kind::anthropic, R"({"messages":[{"role":"user","content":[
    {"type":"image","source":{"type":"file","file_id":"f"}}]}]})") ==
        "messages[0].content[0].source");
}

TEST_CASE("model ask: parameters reach fallbacks, and those of another wire are left out") {
  auto ask = read_chat_ask(parsed(with(R"("temperature":0.5,"max_tokens":5)")));
  REQUIRE(ask);
  llm::call c;
  c.target.wire = wire_kind::anthropic;
  c.fallbacks.resize(2);
  c.fallbacks[0].wire = wire_kind::anthropic;
  c.fallbacks[1].wire = wire_kind::openai_responses;
  REQUIRE(put_ask(std::move(*ask), c));
  REQUIRE(c.fallbacks.size() == 1);
  CHECK(c.fallbacks[0].temperature == 0.5);
  CHECK(c.fallbacks[0].max_tokens == 5);
}

TEST_CASE("model ask: a completion is a chat of one message, and what it cannot be is refused") {
  for (const auto wire :
       {wire_kind::openai_chat, wire_kind::openai_responses, wire_kind::anthropic}) {
    const auto c = put(read_completions_ask, wire,
                       R"({"prompt":["Once"],"max_tokens":16,"suffix":null,"echo":false,"n":1})");
    REQUIRE(c);
    CHECK(c->messages.size() == 1);
    CHECK(c->messages[0].text == "Once");
    CHECK(c->target.max_tokens == 16);
  }
  CHECK(
      sent(read_completions_ask, wire_kind::openai_chat, R"({"prompt":"x","seed":7})").at("seed") ==
      7);
  for (const auto& [members, parameter] :
       {std::pair(R"("prompt":["a","b"])", "prompt"), std::pair(R"("prompt":[1,2])", "prompt"),
        std::pair(R"("prompt":[[1,2]])", "prompt"), std::pair(R"("prompt":7)", "prompt"),
        std::pair(R"("prompt":"x","echo":true)", "echo"),
        std::pair(R"("prompt":"x","suffix":"y")", "suffix"),
        std::pair(R"("prompt":"x","best_of":3)", "best_of"),
        std::pair(R"("prompt":"x","logprobs":3)", "logprobs"),
        std::pair(R"("prompt":"x","tools":[])", "tools")}) {
    CAPTURE(members);
    CHECK(refused(read_completions_ask, wire_kind::openai_chat, "{" + std::string(members) + "}") ==
          parameter);
  }
}

TEST_CASE("model ask: a Responses body in the words of chat completions") {
  CHECK(sent(read_responses_ask, wire_kind::openai_chat, R"({"model":"p","instructions":"brief",
    "input":[{"role":"user","content":"hi"},
      {"type":"reasoning","id":"rs_1","summary":[]},
      {"type":"message","id":"msg_1","role":"assistant","status":"completed",
       "content":[{"type":"output_text","text":"on it","annotations":[]}]},
      {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
      {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
      {"type":"function_call_output","call_id":"c1","output":"one"},
      {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"}]},
      {"role":"user","content":[{"type":"input_text","text":"and this"},
        {"type":"input_image","image_url":"https://x/y.png","detail":"high"}]}],
    "tools":[{"type":"function","name":"f","description":"d","strict":true,
              "parameters":{"type":"object"}}],
    "tool_choice":{"type":"function","name":"f"},"max_output_tokens":50,"temperature":0.5,
    "reasoning":{"effort":"low","summary":"auto"},"metadata":{"a":"b"},"store":true,
    "include":["reasoning.encrypted_content"],"truncation":"disabled",
    "text":{"verbosity":"low","format":{"type":"json_schema","name":"n",
            "schema":{"type":"object"},"strict":true}}})") ==
        parsed(R"({"model":"m","messages":[{"role":"system","content":"brief"},
    {"role":"user","content":"hi"},
    {"role":"assistant","content":"on it","tool_calls":[
      {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},
      {"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},
    {"role":"tool","content":"one","tool_call_id":"c1"},
    {"role":"tool","content":"two","tool_call_id":"c2"},
    {"role":"user","content":[{"type":"text","text":"and this"},
      {"type":"image_url","image_url":{"url":"https://x/y.png","detail":"high"}}]}],
    "tools":[{"type":"function","function":{"name":"f","description":"d",
      "parameters":{"type":"object"},"strict":true}}],
    "tool_choice":{"type":"function","function":{"name":"f"}},
    "stream":true,"stream_options":{"include_usage":true},"temperature":0.5,"max_tokens":50,
    "reasoning_effort":"low","verbosity":"low",
    "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},
      "strict":true}}})"));
}

TEST_CASE("model ask: thoughts that came with calls go back to an Anthropic model with them") {
  const auto body = sent(read_responses_ask, wire_kind::anthropic, R"({"reasoning":{"effort":"low"},
    "input":[{"role":"user","content":"hi"},
      {"type":"message","role":"assistant","content":[{"type":"output_text","text":"wait"}]},
      {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":
        "[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},{\"type\":\"evil\"}]"},
      {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
      {"type":"function_call_output","call_id":"c1","output":[
        {"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}]}],
    "tools":[{"type":"function","name":"f"}]})");
  CHECK(body.at("messages").at(1).at("content") == value_of(R"([
    {"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"wait"},
    {"type":"tool_use","id":"c1","name":"f","input":{}}])"));
  CHECK(body.at("messages").at(2).at("content") == value_of(R"([{"type":"tool_result",
    "tool_use_id":"c1","content":[{"type":"image","source":{"type":"base64",
    "media_type":"image/png","data":"iVBORw0KGgo="}}]}])"));
}

TEST_CASE("model ask: what a Responses body cannot have here is refused by its name") {
  for (const auto& [members, parameter] :
       {std::pair(R"("previous_response_id":"resp_1")", "previous_response_id"),
        std::pair(R"("background":true)", "background"),
        std::pair(R"("conversation":"conv_1")", "conversation"),
        std::pair(R"("prompt":{"id":"p"})", "prompt"),
        std::pair(R"("tools":[{"type":"web_search"}])", "tools[0].type"),
        std::pair(R"("include":["file_search_call.results"])", "include"),
        std::pair(R"("truncation":"auto")", "truncation"),
        std::pair(R"("top_logprobs":2)", "top_logprobs"),
        std::pair(R"("text":{"format":{"type":"json_schema"}})", "text.format.schema"),
        std::pair(R"("tool_choice":{"type":"file_search"})", "tool_choice"),
        std::pair(R"("unheard_of":1)", "unheard_of")}) {
    CAPTURE(members);
    CHECK(refused(read_responses_ask, wire_kind::openai_chat,
                  R"({"input":"x",)" + std::string(members) + "}") == parameter);
  }
  for (const auto& [item, parameter] :
       {std::pair(R"({"type":"item_reference","id":"x"})", "input[0]"),
        std::pair(R"({"type":"web_search_call"})", "input[0].type"),
        std::pair(R"({"type":"function_call","name":"f"})", "input[0].call_id"),
        std::pair(R"({"type":"function_call_output","output":"x"})", "input[0].call_id"),
        std::pair(R"({"role":"tool","content":"x"})", "input[0].role"),
        std::pair("7", "input[0]")}) {
    CAPTURE(item);
    CHECK(refused(read_responses_ask, wire_kind::openai_chat,
                  R"({"input":[)" + std::string(item) + "]}") == parameter);
  }
  CHECK(refused(read_responses_ask, wire_kind::openai_chat, R"({"input":[]})") == "input");
  CHECK(refused(read_responses_ask, wire_kind::openai_chat, "{}") == "input");
  CHECK(refused(read_responses_ask, wire_kind::openai_chat, R"({"input":"x","max_tool_calls":3,
    "background":false,"previous_response_id":null,"stream":true})") == "");
}
