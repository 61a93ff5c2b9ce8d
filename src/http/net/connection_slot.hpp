// One of the server's bounded connections. Freed when destroyed; movable; thread-safe.
#pragma once

#include <atomic>
#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "http/net/http_probe.hpp"

namespace soma::http {

class connection_slot {
 public:
  struct pool {
    std::atomic<std::size_t> open{0};
    http_probe* probe = nullptr;  // outlives the pool

    std::size_t open_of(const boost::asio::ip::address& peer) {
      const std::lock_guard lock(mutex);
      const auto at = by_address.find(peer);
      return at == by_address.end() ? 0 : at->second;
    }

    std::mutex mutex;  // of what follows
    std::map<boost::asio::ip::address, std::size_t> by_address;
  };

  connection_slot() = default;
  connection_slot(std::shared_ptr<pool> p, boost::asio::ip::address peer)
      : pool_(std::move(p)), peer_(std::move(peer)) {
    pool_->open.fetch_add(1, std::memory_order_relaxed);
    if (pool_->probe) pool_->probe->on_connection_opened();
    const std::lock_guard lock(pool_->mutex);
    ++pool_->by_address[peer_];
  }
  connection_slot(connection_slot&&) noexcept = default;
  connection_slot& operator=(connection_slot&& other) noexcept {
    release();
    pool_ = std::move(other.pool_);
    peer_ = other.peer_;
    return *this;
  }
  ~connection_slot() { release(); }

 private:
  void release() {
    if (!pool_) return;
    if (pool_->probe) pool_->probe->on_connection_closed();
    {
      const std::lock_guard lock(pool_->mutex);
      const auto at = pool_->by_address.find(peer_);
      if (--at->second == 0) pool_->by_address.erase(at);
    }
    pool_->open.fetch_sub(1, std::memory_order_release);
    pool_.reset();
  }

  std::shared_ptr<pool> pool_;
  boost::asio::ip::address peer_;
};

}  // namespace soma::http
