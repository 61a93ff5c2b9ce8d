#include "peers/nginx.hpp"

#include <signal.h>
#include <unistd.h>

#include <stdexcept>

#include "clock.hpp"
#include "event_loop.hpp"
#include "http_text.hpp"
#include "report.hpp"
#include "socket.hpp"

namespace soma::bench {
namespace {

const std::filesystem::path binary = "/usr/sbin/nginx";
const std::filesystem::path module = "/usr/lib/nginx/modules/ngx_nchan_module.so";

// The message buffer holds several times the publishers' window, so nchan never has to drop.
std::string configuration(const std::string& folder, std::uint16_t port) {
  const std::string user = ::geteuid() == 0 ? "user root;\n" : "";
  return "load_module " + module.string() + ";\n" + user +
         "daemon off;\nworker_processes 1;\nworker_rlimit_nofile 20000;\n"
         "pid " +
         folder + "/nginx.pid;\nerror_log " + folder +
         "/error.log;\n"
         "events { worker_connections 16384; }\n"
         "http {\n"
         "  access_log off;\n  keepalive_requests 1000000000;\n  keepalive_timeout 600s;\n"
         "  client_body_temp_path " +
         folder +
         "/body;\n"
         "  nchan_shared_memory_size 256m;\n"
         "  server {\n"
         "    listen 127.0.0.1:" +
         std::to_string(port) +
         " backlog=4096;\n"
         "    location = /fixed { return 202 '{\"event_id\":\"1.1000000\"}'; }\n"
         "    location ~ ^/pub/(.+)$ {\n"
         "      nchan_publisher; nchan_channel_id $1;\n"
         "      nchan_message_buffer_length 1024; nchan_message_timeout 1m;\n"
         "    }\n"
         "    location ~ ^/sub/(.+)$ {\n"
         "      nchan_subscriber eventsource; nchan_channel_id $1;\n"
         "      nchan_subscriber_first_message newest;\n"
         "    }\n"
         "  }\n"
         "}\n";
}

process_options command(const std::filesystem::path& folder, std::uint16_t port) {
  const auto file = folder / "nginx.conf";
  write_file(file, configuration(folder.string(), port));
  process_options p;
  p.argv = {binary.string(), "-c", file.string(), "-p", folder.string()};
  p.log = folder / "nginx.log";
  p.death_signal = SIGTERM;  // so that the master takes its worker with it
  return p;
}

}  // namespace

nginx_server::nginx_server(const std::filesystem::path& folder)
    : port_(free_port()), process_(command(folder, port_)) {
  http_request probe;
  probe.target = "/fixed";
  probe.close = true;
  const auto deadline = now_ns() + 10 * ns_per_s;
  while (exchange(port_, to_text(probe), 500).empty()) {
    throw_if_interrupted();
    if (!process_.running() || now_ns() > deadline) {
      throw std::runtime_error("nginx did not start: " + process_.log_tail());
    }
    ::usleep(5000);
  }
}

std::string nginx_server::subscribe_request(const std::string& channel) const {
  http_request r;
  r.target = "/sub/" + channel;
  r.accept = "text/event-stream";
  return to_text(r);
}

std::string nginx_server::publish_request(const std::string& channel,
                                          const std::string& json) const {
  http_request r;
  r.method = "POST";
  r.target = "/pub/" + channel;
  r.body = json;
  return to_text(r);
}

std::string nginx_server::fixed_request(const std::string& json) const {
  http_request r;
  r.method = "POST";
  r.target = "/fixed";
  r.body = json;
  return to_text(r);
}

bool nchan_installed() {
  return std::filesystem::exists(module);
}

std::unique_ptr<stream_server> start_nchan(const std::filesystem::path& folder) {
  if (!nchan_installed()) return nullptr;
  return std::make_unique<nginx_server>(folder);
}

}  // namespace soma::bench
