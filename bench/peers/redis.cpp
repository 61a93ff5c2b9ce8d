#include "peers/redis.hpp"

#include <unistd.h>

#include <charconv>
#include <stdexcept>
#include <vector>

#include "clock.hpp"
#include "event_loop.hpp"
#include "socket.hpp"

namespace soma::bench {
namespace {

const std::filesystem::path binary = "/usr/bin/redis-server";

process_options command(const std::filesystem::path& folder, std::uint16_t port) {
  process_options p;
  p.argv = {binary.string(),
            "--port",
            std::to_string(port),
            "--bind",
            "127.0.0.1",
            "--dir",
            folder.string(),
            "--daemonize",
            "no",
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--auto-aof-rewrite-percentage",
            "0"};
  p.log = folder / "redis.log";
  return p;
}

std::string command_text(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto& w : words) out += "$" + std::to_string(w.size()) + "\r\n" + w + "\r\n";
  return out;
}

}  // namespace

bool redis_server::installed() {
  return std::filesystem::exists(binary);
}

redis_server::redis_server(const std::filesystem::path& folder)
    : port_(free_port()), process_(command(folder, port_)) {
  const auto deadline = now_ns() + 10 * ns_per_s;
  const auto probe = command_text({"PING"}) + command_text({"QUIT"});
  while (!exchange(port_, probe, 500).starts_with("+PONG")) {
    throw_if_interrupted();
    if (!process_.running() || now_ns() > deadline) {
      throw std::runtime_error("redis did not start: " + process_.log_tail());
    }
    ::usleep(5000);
  }
}

std::string redis_server::xadd_request(const std::string& stream, const std::string& data) const {
  return command_text({"XADD", stream, "*", "name", "bench", "data", data});
}

reply parse_resp_reply(std::string_view text) {
  reply r;
  const auto line_end = text.find("\r\n");
  if (line_end == text.npos) return r;
  const char kind = text[0];
  r.ok = kind != '-';
  if (kind == '$') {
    std::size_t size = 0;
    const auto parsed = std::from_chars(text.data() + 1, text.data() + line_end, size);
    r.malformed = parsed.ec != std::errc{};
    if (text.size() < line_end + 2 + size + 2) return r;
    r.body = text.substr(line_end + 2, size);
    r.consumed = line_end + 2 + size + 2;
    return r;
  }
  r.malformed = kind != '+' && kind != '-' && kind != ':';
  r.consumed = line_end + 2;
  return r;
}

}  // namespace soma::bench
