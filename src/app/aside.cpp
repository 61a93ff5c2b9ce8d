#include "app/aside.hpp"

#include <utility>

#include "app/on_longer.hpp"

namespace soma::app {

boost::asio::awaitable<result<void>> run_aside(services& s, tenant_id whose,
                                               std::function<result<void>()> work) {
  co_return co_await on_longer(s, std::move(whose), std::move(work));
}

}  // namespace soma::app
