// The client of MCP servers as the conformance suite drives it: connects to the URL of its last
// argument, lists the tools, calls what the scenario (MCP_CONFORMANCE_SCENARIO) is about, and ends.
#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <future>

#include "tools/mcp/connection.hpp"
#include "tools/mcp/http_transport.hpp"

using namespace soma::tools;
using namespace soma::tools::mcp;
namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

struct planned_call {
  std::string tool;
  json::object inputs;
};

std::string environment(const char* name) {
  const auto* value = std::getenv(name);
  return value ? value : "";
}

// Those that the suite asks for by name, else every tool that was listed.
std::vector<planned_call> plan(const tool_list& listed) {
  std::vector<planned_call> out;
  boost::system::error_code ec;
  const auto context = json::parse(environment("MCP_CONFORMANCE_CONTEXT"), ec);
  if (!ec && context.is_object() && context.get_object().contains("toolCalls")) {
    for (const auto& one : context.at("toolCalls").as_array())
      out.push_back({std::string(one.at("name").as_string()), one.at("arguments").as_object()});
    return out;
  }
  if (environment("MCP_CONFORMANCE_SCENARIO") == "json-schema-ref-no-deref") return out;
  for (const auto& tool : listed.tools) {
    json::object inputs;
    if (tool.name == "add_numbers") inputs = {{"a", 2}, {"b", 3}};
    if (tool.name == "json_schema_echo")
      for (const auto& other : listed.tools)
        if (other.name == "json_schema_2020_12_tool")
          inputs["schema"] = json::parse(other.inputs_json);
    if (tool.inputs_json.find("\"region\"") != std::string::npos) inputs["region"] = "us-west1";
    out.push_back({tool.name, std::move(inputs)});
  }
  return out;
}

struct run {
  loop on;
  std::unique_ptr<connection> server;
  std::promise<int> ended;
  std::vector<planned_call> calls;
  std::size_t next = 0;
  bool planned = false, over = false;

  void end(int status) {
    if (!std::exchange(over, true)) ended.set_value(status);
  }
  void go_on() {
    if (next == calls.size()) return end(0);
    auto& call = calls[next++];
    tool_call_request what;
    what.tool = call.tool;
    what.inputs = call.inputs;
    what.on_done = [this, name = call.tool](tool_outcome outcome) {
      std::printf("%s: %s %s\n", name.c_str(), outcome.status.c_str(),
                  outcome.error ? outcome.error->detail.c_str() : outcome.output_json.c_str());
      on.after(0ms, [this] { go_on(); });
    };
    server->call(std::move(what));
  }
  void changed() {
    if (server->state() == connection_state::waiting) {
      std::printf("not connected: %s\n", server->last_error().c_str());
      return end(1);
    }
    if (server->state() != connection_state::ready || std::exchange(planned, true)) return;
    std::printf("ready, revision %s, %zu tools\n", server->revision().c_str(),
                server->tools().tools.size());
    calls = plan(server->tools());
    go_on();
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  http_settings where;
  where.url = argv[argc - 1];
  where.allow_private = true;
  connection_rules rules;
  rules.client_version = "0";
  run r;
  auto ended = r.ended.get_future();
  r.on.post([&] {
    r.server = std::make_unique<connection>(
        rules, r.on, [&] { return make_http_transport(where, r.on); },
        connection_events{[&] { r.changed(); }});
    r.server->start();
  });
  const int status = ended.wait_for(25s) == std::future_status::ready ? ended.get() : 3;
  r.on.post([&] { r.server.reset(); });
  r.on.stop();
  return status;
}
