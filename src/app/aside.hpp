// Work of a door that would hold its io thread up, such as reading a large body: done on the longer
// lane, and bounded with what else of its tenant is. `work` owns what it uses: it may outlive a
// cancelled coroutine. Errors: server.busy where much is asked for already; those of `work`.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace soma::app {

class services;

boost::asio::awaitable<result<void>> run_aside(services& s, tenant_id whose,
                                               std::function<result<void>()> work);

}  // namespace soma::app
