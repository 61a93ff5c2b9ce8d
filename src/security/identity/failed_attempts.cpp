#include "security/identity/failed_attempts.hpp"

#include <algorithm>
#include <tuple>
#include <vector>

#include "security/peer_network.hpp"

namespace soma::security {

bool failed_attempts::entry::is_over(std::int64_t now_ms) const {
  const auto quiet_for = now_ms - std::max(since_ms, until_ms);
  return quiet_for >= (waited > 0 ? wait_ms_max : window_ms);
}

std::int64_t failed_attempts::wait_ms(std::string_view peer, std::int64_t now_ms) const {
  if (peers_.empty()) return 0;
  const auto network = network_of(peer);
  std::int64_t until = 0;
  for (const auto* name : {&network.own, &network.site})
    if (const auto at = peers_.find(*name); at != peers_.end())
      until = std::max(until, at->second.until_ms);
  return std::max<std::int64_t>(0, until - now_ms);
}

void failed_attempts::failed(std::string_view peer, std::int64_t now_ms) {
  const auto network = network_of(peer);
  count(network.own, 1, now_ms);
  if (!network.site.empty()) count(network.site, site_times, now_ms);
}

void failed_attempts::count(const std::string& name, int times, std::int64_t now_ms) {
  auto at = peers_.find(name);
  if (at == peers_.end()) {
    if (peers_.size() >= peers_max) make_room(now_ms);
    at = peers_.emplace(name, entry{}).first;
  }
  auto& one = at->second;
  if (one.is_over(now_ms)) one = {};
  if (one.count == 0 || now_ms - one.since_ms >= window_ms) {
    one.count = 0;
    one.since_ms = now_ms;
  }
  ++one.count;
  if (one.count < (one.waited > 0 ? free_again_max : free_max) * times) return;
  auto wait = window_ms;
  for (int i = 0; i < one.waited && wait < wait_ms_max; ++i) wait *= 2;
  one.until_ms = now_ms + std::min(wait, wait_ms_max);
  one.count = 0;
  ++one.waited;
}

void failed_attempts::make_room(std::int64_t now_ms) {
  std::erase_if(peers_, [&](const auto& one) { return one.second.is_over(now_ms); });
  // Some more than one, so that it is not looked through for each that comes.
  const auto wanted = peers_max - peers_max / 8;
  if (peers_.size() < wanted) return;
  std::vector<std::pair<std::tuple<int, int, std::int64_t>, std::string>> least;
  least.reserve(peers_.size());
  for (const auto& [name, one] : peers_)
    least.push_back({{one.waited, one.count, one.since_ms}, name});
  const auto gone = static_cast<std::ptrdiff_t>(peers_.size() - wanted + 1);
  std::nth_element(least.begin(), least.begin() + gone - 1, least.end());
  for (auto i = least.begin(); i != least.begin() + gone; ++i) peers_.erase(i->second);
}

}  // namespace soma::security
