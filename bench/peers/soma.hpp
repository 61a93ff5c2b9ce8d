// SomaAgent01 under test, and its stand-in model server: started from their binaries on free ports,
// driven over HTTP alone.
#pragma once

#include <utility>
#include <vector>

#include "http_text.hpp"
#include "peers/stream_server.hpp"

namespace soma::bench {

struct soma_launch {
  std::filesystem::path data_dir;  // made if it is not there
  std::filesystem::path log;
  std::vector<std::pair<std::string, std::string>> environment;
  std::string config{};  // TOML, in place of the run's own configuration; empty: that
  bool speaks_tls =
      false;  // only waited for until it listens: the harness itself does not speak it
};

class soma_server : public stream_server {
 public:
  // Returns once /readyz has answered 200; throws with the log's tail otherwise.
  soma_server(const options& o, const soma_launch& launch);

  double ready_after_s() const { return ready_after_s_; }  // from the fork

  std::string name() const override { return "soma"; }
  std::uint16_t port() const override { return port_; }
  child_process& process() override { return process_; }
  id_form ids() const override { return id_form::epoch_seq; }
  std::string new_channel() override { return new_session(); }
  std::string subscribe_request(const std::string& session) const override;
  std::string publish_request(const std::string& session, const std::string& json) const override;

  std::string new_session();
  std::string new_session_request() const;
  std::string get_request(std::string path) const;  // of an admin
  // The sum of a metric over its labels, of those lines that hold `label`.
  double metric(const std::string& name, const std::string& label = {}) const;
  std::string replay_request(const std::string& session) const;  // from the start
  std::string chat_request(const std::string& json) const;  // a chat completion through the gateway
  std::string message_request(const std::string& session, const std::string& text) const;
  std::string first_message_request(const std::string& text) const;  // makes its session
  std::string tool_request(const std::string& session, const std::string& tool,
                           const std::string& inputs_json) const;

 private:
  std::string post(std::string path, std::string body) const;
  std::string stream(const std::string& session, const std::string& after) const;

  std::uint16_t port_;
  child_process process_;
  double ready_after_s_ = 0;
};

class rehearsal_server {
 public:
  rehearsal_server(const options& o, const std::filesystem::path& folder);
  std::uint16_t port() const { return port_; }
  std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  std::string chat_request(const std::string& text) const;  // a streamed chat completion

 private:
  std::uint16_t port_;
  child_process process_;
};

}  // namespace soma::bench
