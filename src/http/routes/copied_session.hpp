// What fork, export and import share (routes_transfer.cpp, routes_import.cpp).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "app/session_stager.hpp"
#include "http/routes/gateway.hpp"

namespace soma::http {

inline constexpr std::string_view document_type = "application/x-ndjson";
inline constexpr std::size_t transfer_piece_bytes = 256 * 1024;  // between two threads

// The ids of a copy follow from its session's and from those that it had.
std::function<std::string(std::string_view)> renamer(const session_id& to);

response session_created(const session_id& session, std::string body,
                         const app::idempotency_gate::entry& gate);
// The same, of the kept answer.
response session_replayed(const app::idempotency_gate::entry& gate);

// A copy that was staged and not published: what is staged goes, and where another request was
// quicker with the key, its answer is given.
boost::asio::awaitable<response> not_published(gateway& g, request_context& ctx,
                                               app::session_stager& stager,
                                               app::idempotency_gate::entry& gate, error why);

void add_import_route(router& routes, gateway& g);

}  // namespace soma::http
