#include "app/aside.hpp"

#include "app/on_lane.hpp"
#include "app/services.hpp"

namespace soma::app {

boost::asio::awaitable<result<void>> run_aside(services& s, std::function<result<void>()> work) {
  co_return co_await on_lane(s.lanes.longer, std::move(work));
}

}  // namespace soma::app
