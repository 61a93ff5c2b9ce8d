#include "llm/chat_stream.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "core/sse_parser.hpp"
#include "core/utf8.hpp"

using namespace soma;
using namespace soma::llm;

namespace {

struct outcome {
  std::string text, thinking;
  std::vector<std::string> pieces;
  stream_end end;
};

// The stream fed in the given parts; every piece is checked to be whole code points.
outcome run(const std::vector<std::string_view>& parts, bool finish_events = true) {
  outcome out;
  chat_stream chat(
      [&](std::string text, bool thinking) {
        CHECK(utf8_valid(text));
        CHECK(!text.empty());
        (thinking ? out.thinking : out.text) += text;
        out.pieces.push_back(text);
      },
      [](std::string_view m) { return std::string(m); });
  sse_parser events(4096);
  const auto on_data = [&](std::string_view data) { chat.on_data(data); };
  for (const auto part : parts)
    if (!events.feed(part, on_data)) chat.fail({"llm.bad_stream", "too long", true});
  if (finish_events) events.finish(on_data);
  out.end = chat.finish();
  return out;
}

outcome run(std::string_view whole) {
  return run(std::vector<std::string_view>{whole});
}

std::string delta(std::string_view inside) {
  return "data: {\"choices\":[{\"index\":0,\"delta\":{" + std::string(inside) + "}}]}\n\n";
}

const std::string finish_stop =
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const std::string done = "data: [DONE]\n\n";

// All that a stream can hold, in one.
const std::string rich =
    "\xEF\xBB\xBF: a comment\r\n"
    "event: message\r\nid: 1\r\nretry: 10\r\n"
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n" +
    delta(R"("reasoning_content":"let me ")") + delta(R"("reasoning":"think 漢")") +
    delta("\"content\":\"Hé 😀 \"") + delta(R"("content":"\ud83d")") +
    delta(R"("content":"\ude00 \u00e9")") + delta("\"content\":\"\xF0\x9F\"") +
    delta("\"content\":\"\x98\x80.\"") +
    "data: {\"choices\":\ndata: [{\"delta\":{\"content\":\" two lines\"}}]}\r\r" +
    delta(
        R"("tool_calls":[{"index":0,"id":"a","function":{"name":"calculator","arguments":""}}])") +
    delta(R"("tool_calls":[{"index":1,"id":"b","function":{"name":"clock","arguments":"{}"}}])") +
    delta(R"("tool_calls":[{"index":0,"function":{"arguments":"{\"expression\":"}}])") +
    delta(R"("tool_calls":[{"index":0,"function":{"arguments":"\"1+1\"}"}}])") +
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34}}\n\n" +
    done;

void check_rich(const outcome& got) {
  CHECK(!got.end.error);
  CHECK(got.thinking == "let me think 漢");
  CHECK(got.text == "Hé 😀 😀 é😀. two lines");
  CHECK(got.end.finish_reason == "tool_calls");
  CHECK(got.end.usage == soma::usage{12, 34});
  REQUIRE(got.end.tool_calls.size() == 2);
  CHECK(got.end.tool_calls[0] == tool_invocation{"", "a", "calculator", R"({"expression":"1+1"})"});
  CHECK(got.end.tool_calls[1] == tool_invocation{"", "b", "clock", "{}"});
}

std::string calls_with(std::string_view arguments_json) {
  auto got = run(delta(R"("tool_calls":[{"index":0,"id":"a","function":{"name":"t","arguments":)" +
                       std::string(arguments_json) + "}}]") +
                 finish_stop + done);
  CHECK(got.end.finish_reason == "tool_calls");
  REQUIRE(got.end.tool_calls.size() == 1);
  return got.end.tool_calls[0].inputs_json;
}

}  // namespace

TEST_CASE("chat stream: cut in two at every byte it reads the same") {
  const std::string_view whole = rich;
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    CAPTURE(n);
    check_rich(run({whole.substr(0, n), whole.substr(n)}));
  }
}

TEST_CASE("chat stream: fed in parts of every size it reads the same") {
  for (std::size_t step = 1; step < 40; ++step) {
    CAPTURE(step);
    std::vector<std::string_view> parts;
    for (std::size_t at = 0; at < rich.size(); at += step)
      parts.push_back(std::string_view(rich).substr(at, step));
    check_rich(run(parts));
  }
}

TEST_CASE("chat stream: broken off at any byte it says cut exactly when something was said") {
  const std::string stream = delta(R"("content":"one")") + delta(R"("content":"two")");
  for (std::size_t n = 0; n < stream.size(); ++n) {
    const auto got = run({std::string_view(stream).substr(0, n)}, false);
    REQUIRE(got.end.error);
    CHECK(got.end.error->code == "llm.bad_stream");
    CHECK(got.end.error->retryable);
    CHECK(got.end.cut == !got.text.empty());
  }
}

TEST_CASE("chat stream: halves of characters are held back, never shown") {
  CHECK(run(delta(R"("content":"a\ud83d")") + finish_stop + done).text == "a\xEF\xBF\xBD");
  CHECK(run(delta(R"("content":"\ude00b")") + finish_stop + done).text ==
        "\xEF\xBF\xBD"
        "b");
  CHECK(run(delta(R"("content":"\ud83dx")") + finish_stop + done).text == "\xEF\xBF\xBDx");
  CHECK(run(delta(R"("content":"\\ud83d")") + finish_stop + done).text == "\\ud83d");
  CHECK(run(delta(R"("content":"\ud83d\ud83d\ude00")") + finish_stop + done).text ==
        "\xEF\xBF\xBD😀");
  CHECK(run(delta("\"content\":\"\xE6\xBC\"") + finish_stop + done).text == "\xEF\xBF\xBD");
  const auto cut = run({delta("\"content\":\"ok \xF0\x9F\x98\"")}, false);
  CHECK(cut.text == "ok ");
  CHECK(cut.end.cut);
}

TEST_CASE("chat stream: thinking and text keep their order") {
  const auto got = run(delta(R"("reasoning":"t1","content":"c1")") + delta(R"("reasoning":"t2")") +
                       delta(R"("content":"c2")") + finish_stop + done);
  CHECK(got.pieces == std::vector<std::string>{"t1", "c1", "t2", "c2"});
}

TEST_CASE("chat stream: what could have begun a thought comes before one that is told elsewhere") {
  const auto got = run(delta(R"("content":"\n<")") + delta(R"("reasoning":"t")") +
                       delta(R"("content":"b> c")") + finish_stop + done);
  CHECK(got.pieces == std::vector<std::string>{"\n<", "t", "b> c"});
  CHECK(got.text == "\n<b> c");
}

TEST_CASE("chat stream: inputs are always a JSON object") {
  CHECK(calls_with(R"("{\"a\":1}")") == R"({"a":1})");
  CHECK(calls_with(R"("")") == "{}");
  CHECK(calls_with("null") == "{}");
  CHECK(calls_with(R"({"a":1})") == R"({"a":1})");
  CHECK(calls_with(R"("{\"a\":")") == R"({"_invalid_arguments":"{\"a\":"})");
  CHECK(calls_with(R"("[1]")") == R"({"_invalid_arguments":"[1]"})");
  CHECK(calls_with(R"("{} {}")") == R"({"_invalid_arguments":"{} {}"})");
}

TEST_CASE("chat stream: calls that share an index are told apart by id, unnumbered ones by place") {
  const auto same =
      run(delta(R"("tool_calls":[{"index":0,"id":"a","function":{"name":"x","arguments":"{}"}}])") +
          delta(R"("tool_calls":[{"index":0,"id":"b","function":{"name":"y","arguments":"{}"}}])") +
          finish_stop + done);
  REQUIRE(same.end.tool_calls.size() == 2);
  CHECK(same.end.tool_calls[1].tool_id == "y");
  const auto none = run(
      delta(
          R"("tool_calls":[{"id":"a","function":{"name":"x"}},{"id":"b","function":{"name":"y"}}])") +
      finish_stop + done);
  CHECK(none.end.tool_calls.size() == 2);
}

TEST_CASE("chat stream: a completion given in one piece is read too") {
  const auto got = run(
      R"(data: {"object":"chat.completion","choices":[{"message":{"role":"assistant",
data: "content":"whole","reasoning_content":"hm"},"finish_reason":"length"}],
data: "usage":{"prompt_tokens":1,"completion_tokens":2}})");
  CHECK(!got.end.error);
  CHECK(got.text == "whole");
  CHECK(got.thinking == "hm");
  CHECK(got.end.finish_reason == "length");
  CHECK(got.end.usage == soma::usage{1, 2});
}

TEST_CASE("chat stream: an error inside the stream ends it with its meaning") {
  struct row {
    const char *event, *code;
    bool retryable;
  };
  const row rows[] = {
      {R"({"error":{"message":"overloaded","type":"server_error"}})", "llm.provider_error", true},
      {R"({"error":{"message":"slow down","code":429}})", "llm.rate_limited", true},
      {R"({"error":{"message":"x","code":"rate_limit_exceeded"}})", "llm.rate_limited", true},
      {R"({"error":{"message":"x","code":"context_length_exceeded"}})", "llm.context_exceeded",
       false},
      {R"({"error":{"message":"x","code":401}})", "llm.auth", false},
      {R"({"error":"plain words"})", "llm.provider_error", true},
      {"{\"choices\":[{\"del", "llm.bad_stream", true},
      {"[1,2]", "llm.bad_stream", true},
  };
  for (const auto& r : rows) {
    CAPTURE(r.event);
    const auto got = run(delta(R"("content":"a")") + "data: " + r.event + "\n\n" + done);
    REQUIRE(got.end.error);
    CHECK(got.end.error->code == r.code);
    CHECK(got.end.error->retryable == r.retryable);
    CHECK(!got.end.cut);
  }
}

TEST_CASE("chat stream: an end without [DONE] is good once the reason is known") {
  const auto got = run(delta(R"("content":"a")") + finish_stop);
  CHECK(!got.end.error);
  CHECK(got.end.finish_reason == "stop");
  CHECK(run(delta(R"("content":"a")") + done).end.finish_reason == "stop");
  CHECK(run(done).end.error->code == "llm.bad_stream");
}

TEST_CASE("chat stream: too long a line ends it") {
  const auto got = run(delta("\"content\":\"" + std::string(5000, 'x') + "\""));
  REQUIRE(got.end.error);
  CHECK(got.end.error->code == "llm.bad_stream");
}

TEST_CASE("chat stream: a name in pieces is one, of one call") {
  const auto name = [](std::string_view id, std::string_view part, std::string_view arguments) {
    return delta(R"("tool_calls":[{"index":0,)" + std::string(id) + R"("function":{"name":")" +
                 std::string(part) + R"(","arguments":")" + std::string(arguments) + "\"}}]");
  };
  const auto arguments = R"({\"a\":1})";
  for (const auto& stream :
       {name(R"("id":"x",)", "calcu", "") + name("", "lator", arguments),
        name(R"("id":"x",)", "calcu", "") + name(R"("id":"x",)", "lator", arguments),
        name("", "calcu", "") + name("", "la", "") + name("", "tor", arguments),
        name(R"("id":"x",)", "calcu", "") + name("", "calculator", arguments)}) {
    const auto got = run(stream + finish_stop + done);
    REQUIRE(got.end.tool_calls.size() == 1);
    CHECK(got.end.tool_calls[0].tool_id == "calculator");
    CHECK(got.end.tool_calls[0].inputs_json == R"({"a":1})");
  }
  const auto two = run(name(R"("id":"x",)", "calculator", arguments) +
                       name(R"("id":"y",)", "clock", "") + finish_stop + done);
  CHECK(two.end.tool_calls.size() == 2);
  CHECK(run(name("", "clock<|channel|>json", "") + finish_stop).end.tool_calls.at(0).tool_id ==
        "clock");
}

TEST_CASE("chat stream: of several choices the first one alone is read") {
  const auto other = [](std::string_view inside) {
    return R"({"index":1,"delta":{"content":")" + std::string(inside) +
           R"("},"finish_reason":"x"})";
  };
  const auto got =
      run("data: {\"choices\":[" + other("no") + "]}\n\n" + delta(R"("content":"yes")") +
          "data: {\"choices\":[" + other("no") + R"(,{"index":0,"delta":{"content":" sir"}}]})" +
          "\n\n" + finish_stop + done);
  CHECK(got.text == "yes sir");
  CHECK(run("data: {\"choices\":[" + other("no") + "]}\n\n").end.error);
}

TEST_CASE("chat stream: content that is a number is its text") {
  CHECK(run(delta(R"("content":42)") + finish_stop).text == "42");
  CHECK(run(delta(R"("content":-0.5)") + finish_stop).text == "-0.5");
  CHECK(run(delta(R"("content":18446744073709551615)") + finish_stop).text ==
        "18446744073709551615");
  CHECK(run(delta(R"("content":true)") + finish_stop).text == "true");
}
