// What fork and import have in common.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "app/idempotency.hpp"

namespace soma::app {

class services;
class session_stager;

// What the copy calls what the original called so.
std::function<std::string(std::string_view)> renamer(const session_id& to);

// A copy that was not published leaves nothing. Where another was quicker with the key, the kept
// answer is the request's: `gate` then has it.
boost::asio::awaitable<result<void>> give_up(services& s, session_stager& stager,
                                             idempotency_gate::entry& gate, error why);

}  // namespace soma::app
