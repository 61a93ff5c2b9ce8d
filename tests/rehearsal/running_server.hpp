// A rehearsal server on a free port, served by a thread for as long as this lives.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "rehearsal/server.hpp"

namespace soma::test {

class running_rehearsal {
 public:
  running_rehearsal()
      : server_(std::move(rehearsal::server::open({}).value())),
        thread_([this] { server_->run(); }) {}
  ~running_rehearsal() {
    server_->stop();
    thread_.join();
  }
  std::string base_url() const {
    return "http://127.0.0.1:" + std::to_string(server_->port()) + "/v1";
  }

 private:
  std::unique_ptr<rehearsal::server> server_;
  std::thread thread_;
};

}  // namespace soma::test
