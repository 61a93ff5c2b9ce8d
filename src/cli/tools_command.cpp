// `soma tools ls|run`: what tools a server has, and running one by hand, over the public API alone.
#include <boost/json.hpp>
#include <cstdio>
#include <optional>

#include "cli/api_client.hpp"
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "core/event.hpp"
#include "core/json_text.hpp"
#include "core/uuid.hpp"

namespace soma {
namespace {

namespace json = boost::json;

int refuse(const http_client& client, const answer& got) {
  complain(reason_of(client, got));
  return 1;
}

// Waits for the end of one call, and prints what it says meanwhile.
class result_printer final : public event_reader {
 public:
  result_printer(std::string call, std::string after)
      : event_reader(std::move(after)), call_(std::move(call)) {}

  const std::optional<body::tool_result>& result() const { return result_; }
  bool done() const override { return result_.has_value(); }

 private:
  void on_event(const event& e) override {
    if (const auto* said = std::get_if<body::tool_progress>(&e.body))
      if (said->tool_call_id == call_) write_to(stderr, said->text);
    if (const auto* end = std::get_if<body::tool_result>(&e.body))
      if (end->tool_call_id == call_) result_ = *end;
  }

  const std::string call_;
  std::optional<body::tool_result> result_;
};

// A call of a program went well when it ran; the program itself may have failed.
bool program_failed(const std::string& output_json) {
  boost::system::error_code ec;
  const auto output = json::parse(output_json, ec);
  const auto* object = ec ? nullptr : output.if_object();
  const auto* code = object ? object->if_contains("exit_code") : nullptr;
  return code && code->is_number() && *code != json::value(0);
}

// Whatever else answers at that address gives nothing.
const json::array* tools_in(const json::value& document) {
  const auto* object = document.if_object();
  const auto* tools = object ? object->if_contains("tools") : nullptr;
  return tools ? tools->if_array() : nullptr;
}

}  // namespace

int list_tools(const tools_options& options) {
  http_client client(server_of(options.url), options.key);
  const auto got = client.get("/v1/tools");
  if (got.status != 200) return refuse(client, got);
  boost::system::error_code ec;
  const auto document = json::parse(got.body, ec);
  const auto* tools = ec ? nullptr : tools_in(document);
  if (!tools) {
    complain("what answers at " + client.base() + " is no SomaAgent01");
    return 1;
  }
  for (const auto& one : *tools) {
    if (!one.is_object()) continue;
    auto id = text_of(one.get_object(), "id");
    if (id.size() < 20) id.resize(20, ' ');
    show(id + " " + text_of(one.get_object(), "description") + "\n");
  }
  return 0;
}

int run_tool(const tools_options& options) {
  boost::system::error_code ec;
  const auto inputs = json::parse(options.inputs.empty() ? "{}" : options.inputs, ec);
  if (ec || !inputs.is_object()) {
    complain("the inputs must be a JSON object");
    return 1;
  }
  http_client client(server_of(options.url), options.key);
  auto session = options.session;
  if (session.empty()) {
    const auto made = client.post(
        "/v1/sessions", json::serialize(json::object{{"title", "soma tools run"}}), new_uuid());
    if (made.status != 201) return refuse(client, made);
    session = text_of(made.body, "session_id");
  }
  const json::object body{
      {"session_id", session}, {"tool_id", options.tool_id}, {"inputs", inputs}};
  const auto accepted = client.post("/v1/tool/request", json::serialize(body), new_uuid());
  if (accepted.status != 202) return refuse(client, accepted);
  result_printer call(text_of(accepted.body, "tool_call_id"), text_of(accepted.body, "event_id"));
  const auto end = follow(client, session, call);
  const auto& result = call.result();
  if (!result) return refuse(client, end);
  if (!result->error) {
    show(result->output_json + "\n");
    return program_failed(result->output_json) ? 1 : 0;
  }
  if (!result->output_json.empty()) show(result->output_json + "\n");
  complain(result->status + ": " + result->error->detail + " (" + result->error->code + ")");
  return 1;
}

}  // namespace soma
