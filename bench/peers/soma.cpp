#include "peers/soma.hpp"

#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "clock.hpp"
#include "event_loop.hpp"
#include "report.hpp"
#include "socket.hpp"

namespace soma::bench {
namespace {

// Only ever valid for a server of this run, bound to loopback, with an empty store.
constexpr std::string_view admin_key = "soma-bench-loopback-only-4b1f6e0c9d2a";

process_options command(const options& o, const soma_launch& launch, std::uint16_t port) {
  std::filesystem::create_directories(launch.data_dir);
  process_options p;
  p.argv = {o.soma.string(), "serve"};
  auto config = o.soma_config;
  if (!launch.config.empty()) write_file(config = launch.data_dir / "bench.toml", launch.config);
  if (!config.empty()) p.argv.insert(p.argv.end(), {"--config", config.string()});
  p.argv.insert(p.argv.end(),
                {"--data-dir", launch.data_dir.string(), "--port", std::to_string(port)});
  p.environment = launch.environment;
  p.environment.emplace_back("SOMA_ADMIN_KEY", admin_key);
  p.environment.emplace_back("SOMA_LOG_LEVEL", "warn");  // the peers keep no access log either
  p.log = launch.log;
  return p;
}

http_request request(std::string method, std::string target) {
  http_request r;
  r.method = std::move(method);
  r.target = std::move(target);
  r.authorization = "Bearer " + std::string(admin_key);
  return r;
}

void wait_for(std::string_view status, child_process& process, std::uint16_t port,
              const std::string& path, std::int64_t limit_ns) {
  auto probe = request("GET", path);
  probe.close = true;
  const auto text = to_text(probe);
  const auto deadline = now_ns() + limit_ns;
  while (!exchange(port, text, 1000).starts_with("HTTP/1.1 " + std::string(status))) {
    throw_if_interrupted();
    if (!process.running() || now_ns() > deadline) {
      throw std::runtime_error(path + " was never answered: " + process.log_tail());
    }
    ::usleep(1000);
  }
}

std::string json_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

soma_server::soma_server(const options& o, const soma_launch& launch)
    : port_(free_port()), process_(command(o, launch, port_)) {
  const auto begin = now_ns();
  wait_for(launch.speaks_tls ? "" : "200", process_, port_, "/readyz", 120 * ns_per_s);
  ready_after_s_ = static_cast<double>(now_ns() - begin) / ns_per_s;
}

std::string soma_server::post(std::string path, std::string body) const {
  auto r = request("POST", std::move(path));
  r.body = std::move(body);
  return to_text(r);
}

std::string soma_server::stream(const std::string& session, const std::string& after) const {
  auto r = request("GET", "/v1/session/" + session + "/events?after=" + after);
  r.accept = "text/event-stream";
  return to_text(r);
}

std::string soma_server::subscribe_request(const std::string& session) const {
  return stream(session, "end");
}

std::string soma_server::replay_request(const std::string& session) const {
  return stream(session, "start");
}

std::string soma_server::publish_request(const std::string& session,
                                         const std::string& json) const {
  return post("/v1/sessions/" + session + "/events", R"({"name":"bench","data":)" + json + "}");
}

std::string soma_server::new_session_request() const {
  return post("/v1/sessions", R"({"title":"bench"})");
}

std::string soma_server::new_session() {
  auto r = request("POST", "/v1/sessions");
  r.body = R"({"title":"bench"})";
  r.close = true;
  const auto answer = exchange(port_, to_text(r), 10'000);
  const auto id = json_text(answer, "session_id");
  if (id.empty()) throw std::runtime_error("no session was made: " + answer.substr(0, 600));
  return std::string(id);
}

std::string soma_server::get_request(std::string path) const {
  return to_text(request("GET", std::move(path)));
}

double soma_server::metric(const std::string& name, const std::string& label) const {
  auto r = request("GET", "/metrics");
  r.close = true;
  std::istringstream lines(exchange(port_, to_text(r), 10'000));
  double sum = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name) || line.find(label) == line.npos) continue;
    const char after = line.size() > name.size() ? line[name.size()] : ' ';
    if (after != ' ' && after != '{') continue;
    sum += std::atof(line.c_str() + line.rfind(' '));
  }
  return sum;
}

std::string soma_server::chat_request(const std::string& json) const {
  return post("/v1/chat/completions", json);
}

std::string soma_server::message_request(const std::string& session,
                                         const std::string& text) const {
  return post("/v1/session/message",
              R"({"session_id":")" + session + R"(","message":)" + json_string(text) + "}");
}

std::string soma_server::first_message_request(const std::string& text) const {
  return post("/v1/session/message", R"({"message":)" + json_string(text) + "}");
}

std::string soma_server::tool_request(const std::string& session, const std::string& tool,
                                      const std::string& inputs_json) const {
  return post("/v1/tool/request", R"({"session_id":")" + session + R"(","tool_id":")" + tool +
                                      R"(","inputs":)" + inputs_json + "}");
}

rehearsal_server::rehearsal_server(const options& o, const std::filesystem::path& folder)
    : port_(free_port()),
      process_(
          {{o.rehearsal.string(), "--port", std::to_string(port_)}, {}, folder / "rehearsal.log"}) {
  wait_for("200", process_, port_, "/v1/models", 10 * ns_per_s);
}

std::string rehearsal_server::chat_request(const std::string& text) const {
  auto r = request("POST", "/v1/chat/completions");
  r.accept = "text/event-stream";
  r.body = R"({"model":"rehearsal","stream":true,"messages":[{"role":"user","content":)" +
           json_string(text) + "}]}";
  return to_text(r);
}

}  // namespace soma::bench
