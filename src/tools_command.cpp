// `soma tools ls|run`: what tools a server has, and running one by hand, over the public API alone.
#include <boost/json.hpp>
#include <cstdio>
#include <optional>

#include "api_client.hpp"
#include "commands.hpp"
#include "core/event.hpp"
#include "core/uuid.hpp"

namespace soma {
namespace {

namespace json = boost::json;

int refuse(const answer& got) {
  const auto detail =
      got.status == 0 ? "the server cannot be reached" : text_of(got.body, "detail");
  const auto code = text_of(got.body, "code");
  std::fprintf(stderr, "soma: %s%s%s\n", detail.c_str(), code.empty() ? "" : " ", code.c_str());
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
      if (said->tool_call_id == call_) std::fwrite(said->text.data(), 1, said->text.size(), stderr);
    if (const auto* end = std::get_if<body::tool_result>(&e.body))
      if (end->tool_call_id == call_) result_ = *end;
  }

  const std::string call_;
  std::optional<body::tool_result> result_;
};

}  // namespace

int list_tools(const tools_options& options) {
  http_client client(server_url(options.url), options.key);
  const auto got = client.get("/v1/tools");
  if (got.status != 200) return refuse(got);
  const auto document = json::parse(got.body);
  for (const auto& one : document.at("tools").as_array()) {
    const auto& tool = one.as_object();
    std::printf("%-20s %s\n", tool.at("id").as_string().c_str(),
                tool.at("description").as_string().c_str());
  }
  return 0;
}

int run_tool(const tools_options& options) {
  boost::system::error_code ec;
  const auto inputs = json::parse(options.inputs.empty() ? "{}" : options.inputs, ec);
  if (ec || !inputs.is_object()) {
    std::fprintf(stderr, "soma: the inputs must be a JSON object\n");
    return 1;
  }
  http_client client(server_url(options.url), options.key);
  auto session = options.session;
  if (session.empty()) {
    const auto made = client.post(
        "/v1/sessions", json::serialize(json::object{{"title", "soma tools run"}}), new_uuid());
    if (made.status != 201) return refuse(made);
    session = text_of(made.body, "session_id");
  }
  const json::object body{
      {"session_id", session}, {"tool_id", options.tool_id}, {"inputs", inputs}};
  const auto accepted = client.post("/v1/tool/request", json::serialize(body), new_uuid());
  if (accepted.status != 202) return refuse(accepted);
  result_printer call(text_of(accepted.body, "tool_call_id"), text_of(accepted.body, "event_id"));
  follow(client, session, call);
  const auto& result = call.result();
  if (!result) return refuse({});
  if (!result->error) {
    std::printf("%s\n", result->output_json.c_str());
    return 0;
  }
  std::fprintf(stderr, "soma: %s: %s %s\n", result->status.c_str(), result->error->detail.c_str(),
               result->error->code.c_str());
  return 1;
}

}  // namespace soma
