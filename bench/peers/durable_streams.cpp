#include "peers/durable_streams.hpp"

#include <unistd.h>

#include <stdexcept>

#include "clock.hpp"
#include "event_loop.hpp"
#include "http_text.hpp"
#include "socket.hpp"

namespace soma::bench {
namespace {

class durable_streams_server final : public stream_server {
 public:
  durable_streams_server(const std::filesystem::path& binary, const std::filesystem::path& folder)
      : port_(free_port()), process_(command(binary, folder, port_)) {
    http_request probe;
    probe.target = "/v1/stream/none";
    probe.close = true;
    const auto deadline = now_ns() + 10 * ns_per_s;
    while (exchange(port_, to_text(probe), 500).empty()) {
      throw_if_interrupted();
      if (!process_.running() || now_ns() > deadline)
        throw std::runtime_error("durable-streams-server did not start: " + process_.log_tail());
      ::usleep(5000);
    }
  }

  std::string name() const override { return "durable streams"; }
  std::uint16_t port() const override { return port_; }
  child_process& process() override { return process_; }
  id_form ids() const override { return id_form::epoch_seq; }  // its frames have none

  std::string new_channel() override {
    http_request r;
    r.method = "PUT";
    const auto channel = "c" + std::to_string(++channels_);
    r.target = "/v1/stream/" + channel;
    r.close = true;
    const auto answer = exchange(port_, to_text(r), 10'000);
    if (!answer.starts_with("HTTP/1.1 201"))
      throw std::runtime_error("no stream was made: " + answer.substr(0, 600));
    return channel;
  }

  std::string subscribe_request(const std::string& channel) const override {
    http_request r;
    r.target = "/v1/stream/" + channel + "?offset=-1&live=sse";
    r.accept = "text/event-stream";
    return to_text(r);
  }

  std::string publish_request(const std::string& channel, const std::string& json) const override {
    http_request r;
    r.method = "POST";
    r.target = "/v1/stream/" + channel;
    r.body = json;
    return to_text(r);
  }

 private:
  static process_options command(const std::filesystem::path& binary,
                                 const std::filesystem::path& folder, std::uint16_t port) {
    process_options p;
    p.argv = {binary.string(),
              "--host",
              "127.0.0.1",
              "--port",
              std::to_string(port),
              "--durability",
              "wal",
              "--data-dir",
              (folder / "durable-streams").string()};
    p.log = folder / "durable-streams.log";
    return p;
  }

  std::uint16_t port_;
  child_process process_;
  std::size_t channels_ = 0;
};

}  // namespace

std::unique_ptr<stream_server> start_durable_streams(const std::filesystem::path& components,
                                                     const std::filesystem::path& folder) {
  const auto binary = components / "durable-streams/bin/durable-streams-server";
  if (!std::filesystem::exists(binary)) return nullptr;
  std::filesystem::create_directories(folder / "durable-streams");
  return std::make_unique<durable_streams_server>(binary, folder);
}

}  // namespace soma::bench
