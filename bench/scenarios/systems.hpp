// The streaming servers of a run, and the order of its rounds.
#pragma once

#include <memory>
#include <vector>

#include "event_loop.hpp"
#include "number_text.hpp"
#include "options.hpp"
#include "peers/stream_server.hpp"

namespace soma::bench {

// SomaAgent01 and nchan, as far as wanted and installed, each with its files under `folder`.
std::vector<std::unique_ptr<stream_server>> start_stream_servers(
    const options& o, const std::filesystem::path& folder);

// Systems in the order of a round: there and back, so that a drift of the machine favours none.
template <class T>
std::vector<T*> in_order_of_round(const std::vector<std::unique_ptr<T>>& systems,
                                  std::size_t round) {
  std::vector<T*> order;
  for (const auto& s : systems) order.push_back(s.get());
  if (round % 2) order = {order.rbegin(), order.rend()};
  return order;
}

std::int64_t to_ns(double seconds);

}  // namespace soma::bench
