// One of the server's bounded connections. Freed when destroyed; movable; thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "http/http_probe.hpp"

namespace soma::http {

class connection_slot {
 public:
  struct pool {
    std::atomic<std::size_t> open{0};
    http_probe* probe = nullptr;  // outlives the pool
  };

  connection_slot() = default;
  explicit connection_slot(std::shared_ptr<pool> p) : pool_(std::move(p)) {
    pool_->open.fetch_add(1, std::memory_order_relaxed);
    if (pool_->probe) pool_->probe->on_connection_opened();
  }
  connection_slot(connection_slot&&) noexcept = default;
  connection_slot& operator=(connection_slot&& other) noexcept {
    release();
    pool_ = std::move(other.pool_);
    return *this;
  }
  ~connection_slot() { release(); }

 private:
  void release() {
    if (!pool_) return;
    if (pool_->probe) pool_->probe->on_connection_closed();
    pool_->open.fetch_sub(1, std::memory_order_release);
    pool_.reset();
  }

  std::shared_ptr<pool> pool_;
};

}  // namespace soma::http
