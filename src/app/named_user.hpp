// A user who did not come himself: a service that may speak for its tenants' users names him.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "app/caller.hpp"
#include "core/error.hpp"

namespace soma::app {

class services;

// Whether he may be spoken for: whoever could not come in himself may not. Of whom nothing is kept
// may. On the caller's io thread. Errors: auth.forbidden; those of the store, server.busy.
boost::asio::awaitable<result<void>> let_in_by_name(services& s, const caller& who);

}  // namespace soma::app
