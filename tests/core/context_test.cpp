#include "core/context.hpp"

#include <doctest/doctest.h>

using namespace soma;

namespace {

turn_record turn_with(std::string id, std::vector<attachment_ref> files) {
  turn_record turn;
  turn.turn_id = std::move(id);
  turn.user_text = "look";
  turn.attachments = std::move(files);
  return turn;
}

model_context context_of(const std::vector<turn_record>& turns, bool pictures,
                         std::uint64_t tokens_max = 1'000'000) {
  std::vector<const turn_record*> pointers;
  for (const auto& turn : turns) pointers.push_back(&turn);
  return build_context(pointers, {"", tokens_max, "", pictures});
}

std::vector<std::string> pictures_in(const model_context& context) {
  std::vector<std::string> ids;
  for (const auto& part : context.parts)
    for (const auto& file : part.pictures) ids.push_back(file.id);
  return ids;
}

using ids = std::vector<std::string>;

}  // namespace

TEST_CASE("context: pictures are beside the text, where the model takes them and they are such") {
  const std::vector<turn_record> turns{turn_with("t", {{"a", "a.png", "image/png", 10},
                                                       {"b", "b.pdf", "application/pdf", 10},
                                                       {"c", "c.svg", "image/svg+xml", 10},
                                                       {"d", "d.webp", "image/webp", 10},
                                                       {"e", "e.png", "image/png", 4'000'000}})};
  CHECK(pictures_in(context_of(turns, true)) == ids{"a", "d"});
  CHECK(pictures_in(context_of(turns, false)).empty());
  CHECK(context_of(turns, true).tokens == context_of(turns, false).tokens + 2 * picture_tokens);
}

TEST_CASE("context: a picture of a turn that got no answer is not given again") {
  std::vector<turn_record> turns{turn_with("t1", {{"bad", "a.png", "image/png", 10}}),
                                 turn_with("t2", {}), turn_with("t3", {})};
  turns[0].lines.push_back({"m0", "{}", {}, "call", ""});
  turns[0].lines.back().runtime = true;
  turns[1].lines.push_back({"m1", "seen", {}, "", ""});
  CHECK(pictures_in(context_of({turns[0]}, true)) == ids{"bad"});
  CHECK(pictures_in(context_of(turns, true)).empty());
  turns[0].lines.push_back({"m2", "a cat", {}, "", ""});
  CHECK(pictures_in(context_of(turns, true)) == ids{"bad"});
}

TEST_CASE("context: pictures are given as long as all have room") {
  std::vector<attachment_ref> files;
  for (int n = 0; n < 5; ++n) files.push_back({std::to_string(n), "p", "image/png", 3'000'000});
  CHECK(pictures_in(context_of({turn_with("t", files)}, true)) == ids{"0", "1", "2", "3"});
}

TEST_CASE("context: the newest pictures are given, and cost room") {
  std::vector<turn_record> turns;
  for (int n = 0; n < 10; ++n)
    turns.push_back(
        turn_with("t" + std::to_string(n), {{std::to_string(n), "p.png", "image/png", 10}}));
  for (auto& turn : turns) turn.lines.push_back({"m", "seen", {}, "", ""});
  CHECK(pictures_in(context_of(turns, true)) == ids{"2", "3", "4", "5", "6", "7", "8", "9"});
  const auto little = context_of(turns, true, 2 * picture_tokens);
  CHECK(pictures_in(little) == ids{"9"});
  CHECK(little.turns == 1);
}

TEST_CASE("context: results of tools are shortened before a turn is left out, and it says so") {
  std::vector<turn_record> turns{turn_with("t1", {}), turn_with("t2", {}), turn_with("t3", {})};
  for (auto& turn : turns) {
    turn.lines.push_back({"m", "", {{"c", "p", "clock", "{}"}}, "", ""});
    turn.lines.push_back({"", std::string(8000, 'x'), {}, "c", "p"});
    turn.lines.push_back({"m", "noon", {}, "", ""});
  }
  const auto all = context_of(turns, false);
  CHECK(all.turns == 3);
  CHECK(all.left_out_messages == 0);
  CHECK(all.shortened_results == 0);
  const auto some = context_of(turns, false, all.tokens - 2500);
  CHECK(some.turns == 3);
  CHECK(some.shortened_results == 2);
  CHECK(some.parts.back().text == "noon");
  const auto one = context_of(turns, false, 200);
  CHECK(one.turns == 1);
  CHECK(one.tokens < 300);
  CHECK(one.shortened_results == 1);
  CHECK(one.left_out_messages == 4);  // of each of two turns the message and the answer
}

TEST_CASE("context: calls and results find each other where a provider's ids are empty or twice") {
  std::vector<turn_record> turns{turn_with("t", {})};
  auto& lines = turns[0].lines;
  lines.push_back({"m",
                   "",
                   {{"own1", "x", "f", "{}"}, {"own2", "x", "f", "{}"}, {"own3", "", "f", "{}"}},
                   "",
                   ""});
  lines.push_back({"", "two", {}, "own2", "x"});
  lines.push_back({"", "three", {}, "own3", ""});
  lines.push_back({"", "one", {}, "own1", "x"});
  const auto context = context_of(turns, false);
  const auto& calls = context.parts[1].tool_calls;
  CHECK(calls[0].provider_call_id == "x");
  CHECK(calls[1].provider_call_id == "own2");
  CHECK(calls[2].provider_call_id == "own3");
  CHECK(context.parts[2].provider_call_id == "own2");
  CHECK(context.parts[3].provider_call_id == "own3");
  CHECK(context.parts[4].provider_call_id == "x");
}
