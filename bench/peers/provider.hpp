// A model provider as the relays under test see it, inside the harness: it answers each POST with a
// stream of chunks some ms apart, each of which carries the time it was written at.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "event_loop.hpp"

namespace soma::bench {

class stamping_provider : public event_loop::handler {
 public:
  struct pace {
    std::size_t chunks = 50;
    std::int64_t gap_ns = 5'000'000;
  };
  stamping_provider(event_loop& loop, pace how);
  ~stamping_provider() override;

  std::uint16_t port() const { return port_; }
  // Writes what is due and returns when the next is; call it from each tick of the loop.
  std::int64_t pump(std::int64_t now);

  void on_ready(std::uint32_t epoll_events) override;

 private:
  class caller;

  event_loop& loop_;
  const pace pace_;
  std::uint16_t port_ = 0;  // set while listener_ is made
  unique_fd listener_;
  std::vector<std::unique_ptr<caller>> callers_;
};

}  // namespace soma::bench
