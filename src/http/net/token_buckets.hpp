// A token bucket a key: it holds a number of tokens, gets so many a second, and each request takes
// one. Not thread-safe. Bounded: past `keys_max` keys the full buckets are forgotten, and where few
// are, the fullest besides them: whoever has used up his own does not get it back by asking from
// many others.
#pragma once

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace soma::http {

template <class Key>
class token_buckets {
 public:
  using clock = std::chrono::steady_clock;

  // `per_s` is more than 0.
  token_buckets(unsigned per_s, unsigned burst_s, std::size_t keys_max)
      : per_s_(per_s), full_(static_cast<double>(per_s) * burst_s), keys_max_(keys_max) {}

  struct taken {
    bool is_allowed = false;
    double left = 0;  // afterwards
  };
  taken take(const Key& of, clock::time_point now) {
    if (buckets_.size() >= keys_max_) make_room(now);
    auto& b = buckets_.try_emplace(of, bucket{full_, now}).first->second;
    b.tokens = tokens_at(b, now);
    b.since = std::max(b.since, now);
    const bool is_allowed = b.tokens >= 1;
    if (is_allowed) b.tokens -= 1;
    return {is_allowed, b.tokens};
  }

 private:
  struct bucket {
    double tokens = 0;
    clock::time_point since{};
  };

  double tokens_at(const bucket& b, clock::time_point now) const {
    const auto passed = std::max(0.0, std::chrono::duration<double>(now - b.since).count());
    return std::min(full_, b.tokens + passed * per_s_);
  }
  void make_room(clock::time_point now) {
    std::erase_if(buckets_, [&](const auto& b) { return tokens_at(b.second, now) >= full_; });
    // Some more than one, so that it is not looked through for each that comes.
    const auto wanted = keys_max_ - keys_max_ / 8;
    if (buckets_.size() < wanted || buckets_.empty()) return;
    std::vector<double> tokens;
    tokens.reserve(buckets_.size());
    for (const auto& [key, b] : buckets_) tokens.push_back(tokens_at(b, now));
    const auto gone = std::min(buckets_.size() - wanted + 1, buckets_.size());
    const auto nth = tokens.begin() + static_cast<std::ptrdiff_t>(gone - 1);
    std::nth_element(tokens.begin(), nth, tokens.end(), std::greater<>());
    auto left = gone;
    std::erase_if(buckets_, [&, least = *nth](const auto& b) {
      return left > 0 && tokens_at(b.second, now) >= least && left-- > 0;
    });
  }

  const unsigned per_s_;
  const double full_;
  const std::size_t keys_max_;
  std::map<Key, bucket> buckets_;  // ordered: others choose the keys
};

// What an address counts as: of IPv6 the network of 64 bits, since a client has 2^64 addresses in
// it, and beside that the one of 48 around it, which one customer of a provider may have whole.
using address_key = std::array<std::uint8_t, 9>;

inline address_key key_of(const boost::asio::ip::address& peer) {
  if (peer.is_v6() && peer.to_v6().is_v4_mapped())
    return key_of(boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, peer.to_v6()));
  address_key k{};
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

// Of all networks of one site together; as many times what one of them may.
inline constexpr unsigned site_times = 16;

// The site of an address of IPv6; none of IPv4.
inline std::optional<address_key> site_key_of(const boost::asio::ip::address& peer) {
  constexpr std::size_t site_bytes = 6;
  auto k = key_of(peer);
  if (k[0] == 4) return std::nullopt;
  k[0] = 7;
  std::fill(k.begin() + 1 + site_bytes, k.end(), std::uint8_t{0});
  return k;
}

}  // namespace soma::http
