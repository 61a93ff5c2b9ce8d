#include <doctest/doctest.h>

#include <map>

#include "tools/runner_world.hpp"

using namespace soma;
using namespace soma::tools;
using namespace soma::tools::testing;

TEST_CASE("runner: what a call that reaches out would send is looked through before it runs") {
  runner_world w;
  std::vector<std::string> ended;
  int screened = 0;
  screened_call answer;
  w.runner.emplace(runner_parts{
      w.tools,
      [](const tool_caller&, std::string_view, const boost::json::object&,
         runner_parts::judged then) {
        then({true, "r", ""});
      },
      &w.files, [](const auto&...) { return 0u; },
      [&](const call_ended& one) {
        ended.push_back(std::string(one.status) + ' ' + std::string(one.rule) + ' ' +
                        std::string(one.found_json));
      },
      [&](const tool_caller&, const tool_request& call, std::function<void(screened_call)> then) {
        ++screened;
        CHECK(call.call.tool_id == "probe");
        then(answer);
      }});
  w.runner->add("probe", w.impl);
  heard h[4];
  const auto local = w.start(h[0]);
  CHECK(screened == 0);
  w.change(R"({"egress":["example.org"]})");
  answer.said = {false, "no-mail", "No mail leaves."};
  answer.found_json = "{1}";
  const auto denied = w.start(h[1]);
  CHECK(h[1].end().status == "denied");
  CHECK(h[1].end().error->detail == "rule no-mail: No mail leaves.");
  CHECK(ended.back() == "denied no-mail {1}");
  CHECK(w.impl->begun() == 1);
  answer.said = {true, "r", ""};
  answer.inputs = boost::json::object{{"n", 7}};
  answer.words_back = [](std::string json) { return json + "J"; };
  // Holds the last byte of each stream back.
  std::map<std::string, std::string> held;
  answer.piece_back = [&held](const std::string& stream, std::string_view piece, bool last) {
    auto all = held[stream] + std::string(piece);
    held[stream] = last || all.empty() ? "" : all.substr(all.size() - 1);
    return all.substr(0, all.size() - held[stream].size());
  };
  const auto sent = w.start(h[2], R"({"n":3})");
  REQUIRE(w.impl->begun() == 2);
  CHECK(w.impl->request(1).inputs.at("n") == 7);
  CHECK(w.impl->request(1).call.inputs_json == R"({"n":7})");
  const auto call = w.impl->wait_for(1);
  for (const auto* piece : {"ab", "c"}) call->sink.on_output("stdout", piece);
  call->sink.on_output("stderr", "x");
  call->sink.on_done(success("{}"));
  CHECK(h[2].said == std::vector<std::string>{"a", "b", "x", "c"});
  CHECK(h[2].end().output_json == "{}J");
  w.change(R"({"egress":[]})");
  w.impl->reaches = true;
  w.start(h[3]);
  CHECK(screened == 3);
}
