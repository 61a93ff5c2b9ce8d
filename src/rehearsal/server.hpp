// A small OpenAI-compatible server for machines without a key, for tests and for benchmarks. It
// says in every answer that it is not a model.
//
// Threads: `run` serves all connections on the calling thread until `stop`, which may be called
// from any thread. Nothing is kept on disk; the only state is how often a scripted fault has
// struck.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/error.hpp"

namespace soma::rehearsal {

struct server_options {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one
};

class server {
 public:
  // Listens at once; fails with llm.unreachable when the address cannot be had.
  static result<std::unique_ptr<server>> open(const server_options& options);
  ~server();

  std::uint16_t port() const;
  void run();
  void stop();

 private:
  struct impl;
  explicit server(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

}  // namespace soma::rehearsal
