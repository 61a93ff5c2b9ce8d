#include "http/net/rate_limits.hpp"

#include <algorithm>
#include <cmath>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "core/uuid.hpp"

namespace soma::http {
namespace {

constexpr std::size_t stripes = 16;  // threads seldom meet at one

// Of this process: nobody can choose keys that all meet at one stripe.
std::uint64_t stripe_seed() {
  static const std::uint64_t seed = random_u64();
  return seed;
}

std::size_t stripe_of(std::string_view key) {
  return fingerprint(key, stripe_seed()) % stripes;
}

std::size_t stripe_of(const address_key& key) {
  const std::string_view bytes(reinterpret_cast<const char*>(key.data()), key.size());
  return stripe_of(bytes);
}

unsigned whole_seconds(double tokens, unsigned per_s) {
  return static_cast<unsigned>(std::ceil(std::max(0.0, tokens) / per_s));
}

using share = std::optional<rate_share>;

template <class Say>
std::string list_of(const share& a, const share& b, const Say& say) {
  std::string out;
  for (const auto* one : {&a, &b}) {
    if (!*one) continue;
    if (!out.empty()) out += ", ";
    out.append("\"").append((*one)->policy).append("\"");
    say(out, **one);
  }
  return out;
}

}  // namespace

template <class Key>
struct rate_limits::table {
  struct stripe {
    explicit stripe(unsigned per_s)
        : buckets(per_s, rate_limits::burst_s, rate_limits::keys_max / stripes) {}
    std::mutex mutex;
    token_buckets<Key> buckets;
  };

  explicit table(unsigned rate) : per_s(rate) {
    for (auto& one : all) one = std::make_unique<stripe>(rate);
  }

  rate_share take(std::string_view policy, const Key& of, clock::time_point now) {
    auto& mine = *all[stripe_of(of)];
    typename token_buckets<Key>::taken got;
    {
      const std::lock_guard lock(mine.mutex);
      got = mine.buckets.take(of, now);
    }
    rate_share out;
    out.policy = policy;
    out.window_s = rate_limits::burst_s;
    out.quota = per_s * out.window_s;
    out.left = static_cast<unsigned>(got.left);
    out.is_allowed = got.is_allowed;
    out.reset_s = got.is_allowed ? whole_seconds(out.quota - got.left, per_s)
                                 : std::max(1u, whole_seconds(1 - got.left, per_s));
    return out;
  }

  const unsigned per_s;
  std::array<std::unique_ptr<stripe>, stripes> all;
};

rate_limits::rate_limits(unsigned caller_per_s, unsigned address_per_s)
    : callers_(caller_per_s > 0 ? std::make_unique<table<std::string>>(caller_per_s) : nullptr),
      addresses_(address_per_s > 0 ? std::make_unique<table<address_key>>(address_per_s) : nullptr),
      sites_(address_per_s > 0 ? std::make_unique<table<address_key>>(address_per_s * site_times)
                               : nullptr) {}

rate_limits::~rate_limits() = default;

share rate_limits::of_address(const boost::asio::ip::address& peer, clock::time_point now) {
  if (!addresses_) return std::nullopt;
  auto mine = addresses_->take("address", key_of(peer), now);
  const auto site = site_key_of(peer);
  if (!mine.is_allowed || !site) return mine;
  // Whoever has all of a site is told of its ration once that is gone.
  const auto all = sites_->take("address", *site, now);
  return all.is_allowed ? mine : all;
}

share rate_limits::of_caller(const app::caller& who, clock::time_point now) {
  if (!callers_ || who.role == app::role::anonymous || who.role == app::role::internal)
    return std::nullopt;
  return callers_->take("caller", who.tenant.value + '\n' + who.user.value, now);
}

error refusal_of(const rate_share& over) {
  return error(codes::quota_exceeded,
               over.policy == "caller" ? "you ask for more than a user may in this time"
                                       : "more is asked from this address than may be in this time",
               static_cast<int>(over.reset_s));
}

std::string rate_left(const share& a, const share& b) {
  return list_of(a, b, [](std::string& out, const rate_share& one) {
    out.append(";r=").append(std::to_string(one.left));
    out.append(";t=").append(std::to_string(one.reset_s));
  });
}

std::string rate_policy(const share& a, const share& b) {
  return list_of(a, b, [](std::string& out, const rate_share& one) {
    out.append(";q=").append(std::to_string(one.quota));
    out.append(";w=").append(std::to_string(one.window_s));
  });
}

}  // namespace soma::http
