// The server's fold held to tests/golden/session_logs, as the page's is
// (webui/src/kernel/session/golden.test.ts).
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "core/event.hpp"
#include "core/session_state.hpp"

using namespace soma;
namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const auto& file : fs::directory_iterator(SOMA_GOLDEN_LOGS))
    if (file.path().extension() == ".ndjson") out.push_back(file.path().stem().string());
  std::sort(out.begin(), out.end());
  return out;
}

struct folded {
  session_state state;
  event_id head;
};

folded fold(const std::string& name) {
  folded out;
  std::istringstream lines(read(fs::path(SOMA_GOLDEN_LOGS) / (name + ".ndjson")));
  for (std::string line; std::getline(lines, line);) {
    const auto e = decode(line);
    REQUIRE(e.has_value());
    out.head = e->meta.id;
    apply(out.state, *e);
    out.state.seq = e->meta.id.seq;
  }
  return out;
}

void say(json::array& said, std::string_view message_id, std::string_view text) {
  if (!text.empty()) said.push_back({{"message_id", message_id}, {"text", text}});
}

json::array said_in(const session_state& state, const turn_record& turn) {
  json::array said;
  for (const auto& line : turn.lines)
    if (line.tool_call_id.empty()) say(said, line.message_id, line.text);
  if (state.turn && state.turn->turn_id == turn.turn_id) {
    if (state.call && !state.call->answered)
      say(said, state.call->request.message_id, state.call->text);
    if (state.unanswered) say(said, state.unanswered->request.message_id, state.unanswered->text);
  }
  return said;
}

json::object turn_json(const session_state& state, const turn_record& turn, std::string_view at) {
  json::array attached;
  for (const auto& one : turn.attachments) attached.emplace_back(one.id);
  return {{"turn_id", turn.turn_id},
          {"text", turn.user_text},
          {"attachments", std::move(attached)},
          {"state", at},
          {"said", said_in(state, turn)}};
}

// Of what the README says must be seen, all that the server's fold keeps: it has no statuses of
// tools that are over.
json::object seen(const folded& f) {
  const auto& state = f.state;
  json::array turns;
  for (const auto& turn : state.turns) {
    const bool running = state.turn && state.turn->turn_id == turn.turn_id;
    turns.push_back(turn_json(state, turn, running ? "running" : "over"));
  }
  for (const auto& turn : state.queue) turns.push_back(turn_json(state, turn, "waiting"));
  json::array running;
  for (const auto& tool : state.tools) running.emplace_back(tool.call.tool_call_id);
  return {{"head", to_string(f.head)}, {"title", state.title},
          {"paused", state.paused},    {"deleted", state.closed},
          {"turns", std::move(turns)}, {"running_tools", std::move(running)}};
}

json::object wanted(const std::string& name) {
  auto all = json::parse(read(fs::path(SOMA_GOLDEN_LOGS) / (name + ".json"))).as_object();
  all.erase("about");
  json::array running;
  for (auto& turn : all.at("turns").as_array()) {
    auto& members = turn.as_object();
    for (const auto& tool : members.at("tools").as_array())
      if (tool.at("status").as_string() == "running")
        running.push_back(tool.at("tool_call_id").as_string());
    members.erase("tools");
    members.erase("page");
  }
  all["running_tools"] = std::move(running);
  return all;
}

}  // namespace

TEST_CASE("golden logs: the server's fold sees what the page's does") {
  REQUIRE_FALSE(names().empty());
  for (const auto& name : names()) {
    CAPTURE(name);
    const json::value is = seen(fold(name)), ought = wanted(name);  // members in any order
    CHECK_MESSAGE(is == ought, json::serialize(is), "\n", json::serialize(ought));
  }
}
