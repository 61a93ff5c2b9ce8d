// What providers refuse of a conversation never reaches them.
#include "llm/history.hpp"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "llm/wire.hpp"

using namespace soma;
using namespace soma::llm;

namespace {

namespace json = boost::json;

chat_message says(std::string role, std::string text) {
  return {std::move(role), std::move(text), {}, {}};
}
chat_message calls(std::string text, std::vector<std::string> ids) {
  auto m = says("assistant", std::move(text));
  for (auto& id : ids) m.tool_calls.push_back({{}, std::move(id), "clock", "{}"});
  return m;
}
chat_message answer(std::string id, std::string text) {
  return {"tool", std::move(text), {}, std::move(id)};
}

// user a | assistant b | …, with the ids of calls and results behind.
std::string shape(const call& c) {
  std::string out;
  for (const auto& m : sendable(c)) {
    if (!out.empty()) out += " | ";
    out += m.role + " " + m.text;
    for (const auto& asked : m.tool_calls) out += " >" + asked.provider_call_id;
    if (m.role == "tool") out += " <" + m.provider_call_id;
  }
  return out;
}

call with(std::vector<chat_message> messages) {
  call c;
  c.messages = std::move(messages);
  return c;
}

}  // namespace

TEST_CASE("history: messages of one role in a row become one, blank ones go") {
  CHECK(shape(with({says("user", "one"), says("user", "two")})) == "user one\n\ntwo");
  CHECK(shape(with({says("user", "one"), says("assistant", " \n"), says("user", "two")})) ==
        "user one\n\ntwo");
  CHECK(shape(with({says("user", "q"), says("assistant", "a"), says("assistant", "b")})) ==
        "user q | assistant a\n\nb");
  CHECK(shape(with({says("user", " \t")})) == "user (an empty message)");
  CHECK(shape(with({says("system", " "), says("user", "q")})) == "user q");
  CHECK(shape(with({says("user", "q"), says("assistant", "a"), calls("\n", {"x"})})) ==
        "user q | assistant a >x | tool {\"status\":\"interrupted\",\"detail\":\"the call has no "
        "result\"} <x");
}

TEST_CASE("history: it begins with the user, whatever was left out before") {
  CHECK(shape(with({says("system", "s"), says("assistant", "hello"), says("user", "q")})) ==
        "system s | user (The conversation goes on from here.) | assistant hello | user q");
  CHECK(shape(with({answer("x", "noon"), says("user", "q")})) ==
        "user The result of a tool: noon\n\nq");
}

TEST_CASE("history: each call has its result right behind, in the order of the calls") {
  CHECK(shape(with({says("user", "q"), calls("", {"a", "b"}), answer("b", "2"), answer("a", "1"),
                    says("assistant", "done")})) ==
        "user q | assistant  >a >b | tool 1 <a | tool 2 <b | assistant done");
  CHECK(shape(with({says("user", "q"), calls("", {"a"}), says("user", "more")}))
            .find("no result\"} <a | user more") != std::string::npos);
}

TEST_CASE("history: an id that was used before, or does not fit the provider, becomes another") {
  auto c = with({says("user", "q"), calls("", {"call_0"}), answer("call_0", "1"),
                 calls("", {"call_0"}), answer("call_0", "2"), calls("", {""}), answer("", "3")});
  const auto first = shape(c);
  CHECK(first == shape(c));  // a provider's cache holds
  const auto sent = sendable(c);
  CHECK(sent[1].tool_calls[0].provider_call_id == "call_0");
  const auto again = sent[3].tool_calls[0].provider_call_id;
  const auto none = sent[5].tool_calls[0].provider_call_id;
  CHECK(again != "call_0");
  CHECK(!none.empty());
  CHECK(none != again);
  CHECK(sent[4].provider_call_id == again);
  CHECK(sent[6].provider_call_id == none);

  const auto id_for = [](profile target, std::string id) {
    auto asked = with({says("user", "q"), calls("", {id}), answer(id, "1")});
    asked.target = std::move(target);
    const auto messages = sendable(asked);
    CHECK(messages[1].tool_calls[0].provider_call_id == messages[2].provider_call_id);
    return messages[2].provider_call_id;
  };
  profile anthropic, mistral, openai, other;
  anthropic.wire = wire_kind::anthropic;
  mistral.model = "Mistral-Small-3.2";
  openai.provider = "openai";
  CHECK(id_for(anthropic, "toolu_01-A") == "toolu_01-A");
  CHECK(id_for(anthropic, "functions.f:0").size() == 9);
  CHECK(id_for(mistral, "abc123XYZ") == "abc123XYZ");
  CHECK(id_for(mistral, "call_abcdef").size() == 9);
  CHECK(id_for(openai, std::string(41, 'x')).size() == 9);
  CHECK(id_for(other, std::string(900, 'x')).size() == 900);
}

TEST_CASE("history: Mistral gets an answer between a result and the user") {
  auto c = with({says("user", "q"), calls("", {"abcdefghi"}), answer("abcdefghi", "1"),
                 says("user", "more")});
  c.target.provider = "mistral";
  CHECK(shape(c).ends_with("tool 1 <abcdefghi | assistant (no answer) | user more"));
}

TEST_CASE("history: where a provider takes no system its text goes before the user's") {
  auto c = with(
      {says("system", "be brief"), says("user", "q"), says("assistant", "a"), says("user", "r")});
  c.form.no_system = true;
  CHECK(shape(c) == "user be brief\n\nq | assistant a | user r");
}

TEST_CASE("wire: at the last step tools are named and may not be called, in each its own words") {
  auto c = with({says("user", "q"), calls("", {"a"}), answer("a", "1")});
  c.tools = {{"clock", "tells time", ""}};
  c.may_call_tools = false;
  CHECK(json::parse(chat_body(c)).at("tool_choice") == "none");
  CHECK(json::parse(chat_body(c)).at("tools").as_array().size() == 1);
  CHECK(json::parse(responses_body(c)).at("tool_choice") == "none");
  CHECK(json::parse(anthropic_body(c)).at("tool_choice") == json::parse(R"({"type":"none"})"));
  c.tools.clear();
  CHECK_FALSE(json::parse(chat_body(c)).as_object().contains("tool_choice"));
}

TEST_CASE("chat request: thinking goes back beside the calls of this turn, signatures of each") {
  auto c = with({says("user", "q"), calls("", {"a"}), answer("a", "1"), says("assistant", "x"),
                 says("user", "r"), calls("", {"b"}), answer("b", "2")});
  c.messages[1].provider_state_json = c.messages[5].provider_state_json =
      R"([{"type":"chat_reasoning","member":"reasoning_content","text":"plan"},
          {"type":"chat_call","n":0,"extra_content":{"google":{"thought_signature":"s"}}},
          {"type":"thinking","thinking":"another provider's"}])";
  const auto body = json::parse(chat_body(c)).as_object();
  const auto& messages = body.at("messages").as_array();
  CHECK_FALSE(messages[1].as_object().contains("reasoning_content"));
  CHECK(messages[5].at("reasoning_content") == "plan");
  for (const auto n : {1u, 5u})
    CHECK(messages[n].at("tool_calls").at(0).at("extra_content") ==
          json::parse(R"({"google":{"thought_signature":"s"}})"));
  c.form.no_reasoning = true;
  CHECK(chat_body(c).find("plan") == std::string::npos);
}

TEST_CASE("history: thinking whose end alone is in an answer is not sent back") {
  call c;
  c.target.model = "m";
  c.messages = {says("user", "a"), says("assistant", "plan it\n</think>\n\nso be it"),
                says("user", "b"), says("assistant", "plan\n</think>\n"),
                says("user", "c"), says("assistant", "it is `</think>`\n\nand no more"),
                says("user", "d")};
  CHECK(shape(c) ==
        "user a | assistant so be it | user b\n\nc | assistant it is `</think>`\n\nand no more | "
        "user d");
}
