// nginx from Debian, with nchan where installed: the peer for fan-out and parked readers, and, with
// a fixed answer, the ceiling for HTTP requests.
#pragma once

#include "peers/stream_server.hpp"

namespace soma::bench {

class nginx_server : public stream_server {
 public:
  explicit nginx_server(const std::filesystem::path& folder);

  std::string name() const override { return "nchan"; }
  std::uint16_t port() const override { return port_; }
  child_process& process() override { return process_; }
  id_form ids() const override { return id_form::time_tag; }
  std::string new_channel() override { return "c" + std::to_string(++channels_); }
  std::string subscribe_request(const std::string& channel) const override;
  std::string publish_request(const std::string& channel, const std::string& json) const override;

  // A POST answered at once with 202 and a body of the size SomaAgent01 answers with.
  std::string fixed_request(const std::string& json) const;

 private:
  std::uint16_t port_;
  child_process process_;
  std::size_t channels_ = 0;
};

}  // namespace soma::bench
