#include "probes.hpp"

#include <map>

namespace soma {
namespace {

std::uint64_t microseconds(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1e6);
}

}  // namespace

void metrics_probe::on_request(std::string_view route, int status,
                               std::chrono::nanoseconds latency) noexcept {
  struct handles {
    counter* requests;
    histogram* latency;
  };
  // Routes live as long as the server, so their addresses name them; a lookup of the registry
  // locks.
  thread_local std::map<std::pair<const char*, int>, handles> known;
  auto [at, fresh] = known.try_emplace({route.data(), status});
  if (fresh)
    at->second = {&metrics_.http_requests(route, "", status), &metrics_.http_latency(route)};
  at->second.requests->add();
  at->second.latency->observe_us(static_cast<std::uint64_t>(latency.count()) / 1000);
}

void metrics_probe::committed(std::size_t, std::size_t events, std::size_t bytes, double seconds) {
  metrics_.append_batches.add();
  metrics_.append_events.add(events);
  metrics_.append_bytes.add(bytes);
  metrics_.fsync.observe_us(microseconds(seconds));
}

void metrics_probe::first_token(double seconds) {
  metrics_.llm_calls.add();
  metrics_.llm_first_token.observe_us(microseconds(seconds));
}

}  // namespace soma
