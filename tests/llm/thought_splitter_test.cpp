#include "llm/thought_splitter.hpp"

#include <doctest/doctest.h>

#include <string>

#include "llm/provider_limits.hpp"

using namespace soma::llm;

namespace {

struct parts {
  std::string text, thinking;
  std::optional<bool> begun;
  bool operator==(const parts&) const = default;
};

parts split(std::string_view answer, std::size_t cut, bool inside, bool complete = true) {
  parts out;
  thought_splitter splitter;
  if (inside) splitter.begin_inside();
  const auto part = [&](std::string_view text, bool thinking) {
    (thinking ? out.thinking : out.text) += text;
  };
  splitter.push(answer.substr(0, cut), part);
  splitter.push(answer.substr(cut), part);
  splitter.flush(part, complete);
  out.begun = splitter.thought_begun();
  return out;
}

// The same wherever it is cut.
parts split(std::string_view answer, bool inside = false, bool complete = true) {
  const auto whole = split(answer, answer.size(), inside, complete);
  for (std::size_t cut = 0; cut < answer.size(); ++cut) {
    CAPTURE(cut);
    CHECK(split(answer, cut, inside, complete) == whole);
  }
  return whole;
}

}  // namespace

TEST_CASE("thoughts: a lone closing tag is given as text the first time, and known for one") {
  for (const std::string end : {"\n</think>\n\n", "</think>\n\n", "\r\n[/THINK]\r\n"}) {
    const auto first = split("the plan." + end + "so");
    CHECK(first.text == "the plan." + end + "so");
    CHECK(first.begun == true);
    const auto next = split("the plan." + end + "so", true);
    CHECK(next.thinking.starts_with("the plan."));
    CHECK(next.text == "so");
    CHECK(next.begun == true);
  }
  CHECK(split("</think>\n\nso").begun == true);
}

TEST_CASE("thoughts: an answer that speaks of a closing tag is no thought") {
  for (const std::string answer :
       {"It ends with `</think>`.\n", "It ends with </think>\n\nas you see",
        "```\nx\n</think>\ny\n```\n", "First <think> is written, then\n</think>\nfollows",
        "No tag at all\n\nhere"}) {
    CAPTURE(answer);
    const auto got = split(answer);
    CHECK(got.text == answer);
    CHECK_FALSE(got.begun);
    CHECK(behind_lone_thought(answer) == 0);
  }
}

TEST_CASE("thoughts: an answer of such a model without a thought is text, and the next one is so") {
  const auto got = split("so", true);
  CHECK(got.text == "so");
  CHECK(got.begun == false);
  CHECK(split("<think>plan</think>so", true) == parts{"so", "plan", false});
  // The model was cut short while it thought.
  CHECK(split("the pl", true, false) == parts{"", "the pl", std::nullopt});
}

TEST_CASE("thoughts: what is longer than any thought is text from there on") {
  const std::string most(limits::thought_bytes_max, 'x');
  const auto got = split(most + "yz", limits::thought_bytes_max, true);
  CHECK(got.text == most + "yz");
  CHECK(got.begun == false);
}

TEST_CASE("thoughts: white space is held back only as far as a thought may begin behind it") {
  const std::string blank(limits::beginning_bytes_max - 100, '\n');
  const auto begun = split(blank + "<think>a</think>b", blank.size(), false);
  CHECK(begun.thinking == "a");
  CHECK(begun.text == "b");
  std::string said;
  thought_splitter splitter;
  for (std::size_t n = 0; n < limits::beginning_bytes_max + 1; n += 100)
    splitter.push(std::string(100, ' '), [&](std::string_view text, bool) { said += text; });
  CHECK(said.size() > limits::beginning_bytes_max);
}

TEST_CASE("thoughts: of channels the final one is text, the others are thinking") {
  const std::string analysis = "<|channel|>analysis<|message|>plan 1 < 2<|end|>";
  const std::string final_part = "<|start|>assistant<|channel|>final<|message|>So <|x|> be it";
  const parts wanted{"So <|x|> be it", "plan 1 < 2", {}};
  CHECK(split(analysis + final_part) == wanted);
  CHECK(split("<|start|>assistant" + analysis + final_part + "<|return|>") == wanted);
  CHECK(split(analysis + final_part, true) == wanted);
  CHECK(split("\n" + analysis).thinking == "plan 1 < 2");
  CHECK(split("<|channel|>final<|message|>So") == parts{"So", "", {}});
  CHECK(split("<|channel|>commentary<|message|>I look.<|end|>" + final_part).text ==
        "I look.So <|x|> be it");
  CHECK(split("<|channel|>commentary to=functions.x <|constrain|>json<|message|>{}<|call|>") ==
        parts{"", "{}", {}});
  CHECK(split(analysis + "<|start|>assist") == parts{"", "plan 1 < 2", {}});
  CHECK(split(analysis + "So be it").text == "So be it");
  CHECK(split("<|chan is no mark").text == "<|chan is no mark");
}
