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

constexpr int reconnects_max = 60;

int refuse(const answer& got) {
  const auto detail =
      got.status == 0 ? "the server cannot be reached" : text_of(got.body, "detail");
  const auto code = text_of(got.body, "code");
  std::fprintf(stderr, "soma: %s%s%s\n", detail.c_str(), code.empty() ? "" : " ", code.c_str());
  return 1;
}

// Waits for the end of one call, and prints what it says meanwhile.
class result_printer {
 public:
  explicit result_printer(std::string call) : call_(std::move(call)) {}

  bool take(std::string_view bytes) {
    buffer_ += bytes;
    for (std::size_t end; (end = buffer_.find("\n\n")) != std::string::npos;
         buffer_.erase(0, end + 2))
      on_frame(std::string_view(buffer_).substr(0, end));
    return !result_;
  }
  void between() {}
  void connection_lost() { buffer_.clear(); }
  const std::optional<body::tool_result>& result() const { return result_; }
  std::string last_id;

 private:
  void on_frame(std::string_view frame) {
    std::string_view data;
    while (!frame.empty()) {
      const auto end = frame.find('\n');
      const auto line = frame.substr(0, end);
      if (line.starts_with("id: ")) last_id = line.substr(4);
      if (line.starts_with("data: ")) data = line.substr(6);
      frame.remove_prefix(end == std::string_view::npos ? frame.size() : end + 1);
    }
    const auto e = decode(data);
    if (!e) return;
    if (const auto* said = std::get_if<body::tool_progress>(&e->body))
      if (said->tool_call_id == call_) std::fwrite(said->text.data(), 1, said->text.size(), stderr);
    if (const auto* end = std::get_if<body::tool_result>(&e->body))
      if (end->tool_call_id == call_) result_ = *end;
  }

  const std::string call_;
  std::string buffer_;
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
  result_printer call(text_of(accepted.body, "tool_call_id"));
  call.last_id = text_of(accepted.body, "event_id");
  for (int tries = 0; !call.result() && tries < reconnects_max; ++tries) {
    const auto before = call.last_id;
    client.stream("/v1/session/" + session + "/events?after=" + before, call);
    call.connection_lost();
    if (call.last_id != before) tries = 0;
  }
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
