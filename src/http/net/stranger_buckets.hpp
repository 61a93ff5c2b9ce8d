// A token bucket an address for what nobody in particular may ask of this server: requests that
// have a body and need no identity, and answers that tell a client's fault to one without.
//
// One an io thread; not thread-safe. Bounded: past so many addresses the full ones are forgotten.
#pragma once

#include "core/codes.hpp"
#include "core/error.hpp"
#include "core/limits.hpp"
#include "http/net/token_buckets.hpp"

namespace soma::http {

class stranger_buckets {
 public:
  using clock = token_buckets<address_key>::clock;

  // `per_s` 0: everything is allowed.
  explicit stranger_buckets(unsigned per_s)
      : per_s_(per_s),
        buckets_(per_s, limits::http_strangers_burst_s, limits::http_stranger_addresses_max),
        sites_(per_s * site_times, limits::http_strangers_burst_s,
               limits::http_stranger_addresses_max) {}

  // Takes one token of the address, and of its site; false where one of them has none left.
  bool take(const boost::asio::ip::address& peer, clock::time_point now = clock::now()) {
    if (per_s_ == 0) return true;
    if (!buckets_.take(key_of(peer), now).is_allowed) return false;
    const auto site = site_key_of(peer);
    return !site || sites_.take(*site, now).is_allowed;
  }

  static error refusal() {
    return error(codes::quota_exceeded, "too many requests without an identity", 1);
  }

 private:
  const unsigned per_s_;
  token_buckets<address_key> buckets_, sites_;
};

}  // namespace soma::http
