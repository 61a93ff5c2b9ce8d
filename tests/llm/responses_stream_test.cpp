#include "llm/responses_stream.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace soma;
using namespace soma::llm;

namespace {

struct outcome {
  std::string text, thinking;
  stream_end end;
};

outcome run(const std::vector<std::string>& events) {
  outcome out;
  responses_stream answer(
      [&](std::string text, bool thinking) { (thinking ? out.thinking : out.text) += text; },
      [](std::string_view m) { return std::string(m); });
  for (const auto& event : events) answer.on_data(event);
  out.end = answer.finish();
  return out;
}

// An event: its type behind "response.", and its other members.
std::string told(std::string_view type, std::string_view members) {
  return R"({"type":"response.)" + std::string(type) + "\"," + std::string(members) + "}";
}

std::string message(std::string_view text, std::string_view id = "msg") {
  return R"("item":{"type":"message","id":")" + std::string(id) +
         R"(","content":[{"type":"output_text","text":")" + std::string(text) + "\"}]}";
}

std::string called(std::string_view n, std::string_view arguments) {
  return R"("item":{"type":"function_call","id":"fc_)" + std::string(n) + R"(","call_id":"call_)" +
         std::string(n) + R"(","name":"clock","arguments":")" + std::string(arguments) + "\"}";
}

std::string completed(std::string_view output = "") {
  return told("completed", R"("response":{"object":"response","status":"completed","output":[)" +
                               std::string(output) + "]}");
}

// An item as the list of a response has it.
std::string listed(const std::string& item) {
  return item.substr(item.find('{'));
}

}  // namespace

TEST_CASE("responses: text that only an end tells is said, whichever end it is") {
  const std::string ends[] = {
      told("output_text.done", R"("output_index":0,"content_index":0,"text":"Grüße")"),
      told("content_part.done", R"("output_index":0,"part":{"type":"output_text","text":"Grüße"})"),
      told("output_item.done", R"("output_index":0,)" + message("Grüße")),
      told("refusal.done", R"("output_index":0,"refusal":"Grüße")"),
      told("content_part.done", R"("item_id":"msg","part":{"type":"refusal","refusal":"Grüße"})"),
  };
  for (const auto& end : ends) {
    CAPTURE(end);
    const auto got = run({end, completed()});
    CHECK(!got.end.error);
    CHECK(got.text == "Grüße");
    CHECK(run({end, completed(listed(message("Grüße")))}).text == "Grüße");
    CHECK(run({end, end, completed()}).text == "Grüße");
  }
  CHECK(run({ends[0], ends[1], ends[2], completed(listed(message("Grüße")))}).text == "Grüße");
  CHECK(run({completed(listed(message("Grüße")))}).text == "Grüße");
}

TEST_CASE("responses: an end gives what the pieces left out, and never the same again") {
  const auto piece = told("output_text.delta", R"("output_index":0,"delta":"one ")");
  const auto item = told("output_item.done", R"("output_index":0,)" + message("one two"));
  CHECK(run({piece, item, completed()}).text == "one two");
  CHECK(run({piece, completed(listed(message("one two")))}).text == "one two");
  CHECK(run({piece, told("output_text.done", R"("output_index":0,"text":"one two")"), item,
             completed(listed(message("one two")))})
            .text == "one two");
  // Another text than was said: what was said stands.
  CHECK(run({piece, told("output_item.done", R"("output_index":0,)" + message("won too, ok")),
             completed()})
            .text == "one ");
}

TEST_CASE("responses: pieces and ends that are named or numbered otherwise are the same text") {
  const std::string pieces[] = {
      told("output_text.delta", R"("delta":"hello")"),
      told("output_text.delta", R"("output_index":1,"delta":"hello")"),
      told("output_text.delta", R"("output_index":1,"item_id":"other","delta":"hello")"),
      told("output_text.delta", R"("item_id":"other","delta":"hello")"),
  };
  const std::string ends[] = {
      told("output_item.done", message("hello")),
      told("output_item.done", R"("output_index":1,)" + message("hello")),
      told("output_text.done", R"("text":"hello")"),
  };
  for (const auto& piece : pieces)
    for (const auto& end : ends) {
      if (piece == pieces[3] && end == ends[1]) continue;  // nothing says that they are one
      CAPTURE(piece);
      CAPTURE(end);
      CHECK(run({piece, end, completed(listed(message("hello", "third")))}).text == "hello");
    }
}

TEST_CASE("responses: two parts without numbers are not said again by their item") {
  const auto both = R"("output_index":0,"item":{"type":"message","id":"m","content":[)"
                    R"({"type":"output_text","text":"a"},{"type":"output_text","text":"b"}]})";
  CHECK(run({told("output_text.delta", R"("output_index":0,"delta":"a")"),
             told("output_text.done", R"("output_index":0,"text":"a")"),
             told("output_text.delta", R"("output_index":0,"delta":"b")"),
             told("output_text.done", R"("output_index":0,"text":"b")"),
             told("output_item.done", both), completed()})
            .text == "ab");
}

TEST_CASE("responses: a second message that only its end tells is said behind the first") {
  const auto got =
      run({told("output_text.delta", R"("output_index":0,"delta":"first")"),
           told("output_item.done", R"("output_index":0,)" + message("first", "m1")),
           told("output_item.done", R"("output_index":1,)" + message("second", "m2")),
           completed(listed(message("first", "m1")) + "," + listed(message("second", "m2")))});
  CHECK(got.text == "firstsecond");
}

TEST_CASE("responses: a summary that only its end tells is thinking") {
  const std::string ends[] = {
      told("reasoning_summary_text.done", R"("output_index":0,"summary_index":0,"text":"plan")"),
      told("reasoning_summary_part.done",
           R"("output_index":0,"part":{"type":"summary_text","text":"plan"})"),
      told("reasoning_text.done", R"("output_index":0,"content_index":0,"text":"plan")"),
      told("output_item.done",
           R"("output_index":0,"item":{"type":"reasoning","summary":[{"type":"summary_text",)"
           R"("text":"plan"}]})"),
  };
  const auto text = told("output_text.delta", R"("output_index":1,"delta":"so")");
  for (const auto& end : ends) {
    CAPTURE(end);
    const auto got = run({end, ends[3], text, completed()});
    CHECK(got.thinking == "plan");
    CHECK(got.text == "so");
  }
  const auto pieces = run({told("reasoning_text.delta", R"("output_index":0,"delta":"plan")"),
                           ends[2], ends[3], text, completed()});
  CHECK(pieces.thinking == "plan");
}

TEST_CASE("responses: text that only the response tells is said where thinking was told before") {
  const auto got = run({told("reasoning_text.delta", R"("output_index":0,"delta":"plan")"),
                        completed(listed(message("so")))});
  CHECK(got.thinking == "plan");
  CHECK(got.text == "so");
}

TEST_CASE("responses: two calls of one number keep their own arguments") {
  const auto one = R"({\"n\":1})", two = R"({\"n\":2})";
  const auto at = [](std::string_view more) { return R"("output_index":0,)" + std::string(more); };
  const std::vector<std::string> orders[] = {
      // Whole with the end alone, one after another and side by side.
      {told("output_item.added", at(called("1", ""))),
       told("output_item.done", at(called("1", one))),
       told("output_item.added", at(called("2", ""))),
       told("output_item.done", at(called("2", two)))},
      {told("output_item.added", at(called("1", ""))),
       told("output_item.added", at(called("2", ""))),
       told("output_item.done", at(called("1", one))),
       told("output_item.done", at(called("2", two)))},
      // In pieces, by their item's id or their call's.
      {told("output_item.added", at(called("1", ""))),
       told("output_item.added", at(called("2", ""))),
       told("function_call_arguments.delta", at(R"("item_id":"fc_1","delta":"{\"n\":")")),
       told("function_call_arguments.delta", at(R"("item_id":"fc_2","delta":"{\"n\":")")),
       told("function_call_arguments.delta", at(R"("item_id":"fc_1","delta":"1}")")),
       told("function_call_arguments.delta", at(R"("item_id":"fc_2","delta":"2}")"))},
      {told("output_item.added", at(called("1", ""))),
       told("output_item.added", at(called("2", ""))),
       told("function_call_arguments.done", at(R"("item_id":"call_2","arguments":"{\"n\":2}")")),
       told("function_call_arguments.done", at(R"("item_id":"call_1","arguments":"{\"n\":1}")"))},
      // Told by the end alone, or by the response.
      {told("output_item.done", at(called("1", one))),
       told("output_item.done", at(called("2", two)))},
      {told("output_item.done", at(called("1", one)))},
  };
  for (const auto& order : orders) {
    auto events = order;
    events.push_back(completed(listed(called("1", one)) + "," + listed(called("2", two))));
    CAPTURE(events[0]);
    const auto got = run(events);
    REQUIRE(got.end.tool_calls.size() == 2);
    CHECK(got.end.tool_calls[0].provider_call_id == "call_1");
    CHECK(got.end.tool_calls[0].inputs_json == R"({"n":1})");
    CHECK(got.end.tool_calls[1].inputs_json == R"({"n":2})");
  }
}

TEST_CASE("responses: an item that has a new id with every event is found by its number") {
  const auto got = run(
      {told(
           "output_item.added",
           R"("output_index":0,"item":{"type":"function_call","id":"x1","call_id":"c","name":"t"})"),
       told("function_call_arguments.delta",
            R"("output_index":0,"item_id":"x2","delta":"{\"n\":1}")"),
       told("function_call_arguments.done",
            R"("output_index":0,"item_id":"x3","arguments":"{\"n\":1}")"),
       told("output_item.done",
            R"("output_index":0,"item":{"type":"function_call","id":"x4","call_id":"c",)"
            R"("name":"t","arguments":"{\"n\":1}"})"),
       completed()});
  REQUIRE(got.end.tool_calls.size() == 1);
  CHECK(got.end.tool_calls[0].inputs_json == R"({"n":1})");
}

TEST_CASE("responses: the end of arguments completes what its pieces began") {
  const auto got =
      run({told("output_item.added", R"("output_index":0,)" + called("1", "")),
           told("function_call_arguments.delta", R"("output_index":0,"delta":"{\"n\":")"),
           told("output_item.done", R"("output_index":0,)" + called("1", R"({\"n\":1})")),
           completed()});
  REQUIRE(got.end.tool_calls.size() == 1);
  CHECK(got.end.tool_calls[0].inputs_json == R"({"n":1})");
}
