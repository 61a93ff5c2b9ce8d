// How many requests a caller and an address may send, whatever they ask for: a token bucket each,
// of which a request takes one, streams one when they are opened. Shared by the io threads;
// thread-safe, and waits for nothing but the others' moments.
//
// Callers are users of a tenant, by whichever key or sign-in. Other nodes are not rationed as
// callers. Of IPv6 a network of 64 bits is an address, and those of one site, 48 bits, together
// have `site_times` as much.
#pragma once

#include <array>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "app/caller.hpp"
#include "core/error.hpp"
#include "http/net/token_buckets.hpp"

namespace soma::http {

// What a request was allowed, as RateLimit and RateLimit-Policy tell it.
struct rate_share {
  std::string_view policy;  // caller, address
  unsigned quota = 0;       // requests at once, and in `window_s`
  unsigned window_s = 0;
  unsigned left = 0;
  unsigned reset_s = 0;  // until all of it is there again; where it is refused, until one is
  bool is_allowed = true;
};

error refusal_of(const rate_share& over);

// Fields' values, a list where both are told: `"caller";r=9;t=1`, `"caller";q=100;w=10`.
std::string rate_left(const std::optional<rate_share>& a, const std::optional<rate_share>& b);
std::string rate_policy(const std::optional<rate_share>& a, const std::optional<rate_share>& b);

class rate_limits {
 public:
  using clock = std::chrono::steady_clock;
  static constexpr unsigned burst_s = 10;  // seconds' worth of requests that may come at once
  // Callers, and addresses, that are known: beyond that those who asked least are forgotten.
  static constexpr std::size_t keys_max = 65'536;

  // Requests a second. 0: any number.
  rate_limits(unsigned caller_per_s, unsigned address_per_s);
  ~rate_limits();

  // None: nobody rations it.
  std::optional<rate_share> of_address(const boost::asio::ip::address& peer,
                                       clock::time_point now = clock::now());
  std::optional<rate_share> of_caller(const app::caller& who, clock::time_point now = clock::now());

 private:
  template <class Key>
  struct table;

  const std::unique_ptr<table<std::string>> callers_;            // null: any number
  const std::unique_ptr<table<address_key>> addresses_, sites_;  // null: any number
};

}  // namespace soma::http
