// Runs work that waits for the disk to sync, for one tenant, which may have half of what waits
// there: one thread does all of it, and sign-ins, keys and settings of others wait for it, too. As
// on_lane otherwise.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <utility>

#include "app/on_lane.hpp"
#include "app/services.hpp"

namespace soma::app {

template <class Work>
boost::asio::awaitable<std::invoke_result_t<Work&>> on_writes(services& s, tenant_id whose,
                                                              Work work) {
  static_assert(std::is_constructible_v<std::invoke_result_t<Work&>, error>);  // there is no room
  const auto place = s.write_work.enter(whose);
  if (!place) co_return error(codes::server_busy, "much of this tenant waits already", 1);
  auto turn = turn_of(whose);
  co_return co_await on_lane(s.lanes.writes, std::move(turn), std::move(work));
}

}  // namespace soma::app
