// A token bucket an address for what nobody in particular may ask of this server: requests that
// have a body and need no identity, and answers that tell a client's fault to one without.
//
// One an io thread; not thread-safe. Bounded: past so many addresses the full ones are forgotten.
#pragma once

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdint>
#include <map>

#include "core/codes.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"

namespace soma::http {

class stranger_buckets {
 public:
  using clock = std::chrono::steady_clock;

  // `per_s` 0: everything is allowed.
  explicit stranger_buckets(unsigned per_s) : per_s_(per_s) {}

  // Takes one token of the address; false where it has none left.
  bool take(const boost::asio::ip::address& peer, clock::time_point now = clock::now()) {
    if (per_s_ == 0) return true;
    if (buckets_.size() >= limits::http_stranger_addresses_max) make_room(now);
    auto& b = buckets_.try_emplace(key_of(peer), bucket{full(), now}).first->second;
    b.tokens = tokens_at(b, now);
    b.since = now;
    if (b.tokens < 1) return false;
    b.tokens -= 1;
    return true;
  }

  static error refusal() {
    return error(codes::quota_exceeded, "too many requests without an identity", 1);
  }

 private:
  using key = std::array<std::uint8_t, 9>;
  struct bucket {
    double tokens = 0;
    clock::time_point since{};
  };

  double full() const { return static_cast<double>(per_s_) * limits::http_strangers_burst_s; }
  double tokens_at(const bucket& b, clock::time_point now) const {
    return std::min(full(),
                    b.tokens + std::chrono::duration<double>(now - b.since).count() * per_s_);
  }
  void make_room(clock::time_point now) {
    std::erase_if(buckets_, [&](const auto& b) { return tokens_at(b.second, now) >= full(); });
    if (buckets_.size() >= limits::http_stranger_addresses_max) buckets_.clear();
  }
  // Of IPv6 the network: a client has 2^64 addresses in it.
  static key key_of(const boost::asio::ip::address& peer) {
    if (peer.is_v6() && peer.to_v6().is_v4_mapped())
      return key_of(boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, peer.to_v6()));
    key k{};
    if (peer.is_v4()) {
      const auto bytes = peer.to_v4().to_bytes();
      k[0] = 4;
      std::copy(bytes.begin(), bytes.end(), k.begin() + 1);
    } else {
      const auto bytes = peer.to_v6().to_bytes();
      k[0] = 6;
      std::copy(bytes.begin(), bytes.begin() + 8, k.begin() + 1);
    }
    return k;
  }

  const unsigned per_s_;
  std::map<key, bucket> buckets_;  // ordered: others choose the keys
};

}  // namespace soma::http
