// The HTTP door of an operation: its route is made from the table (app/operations.hpp), and what
// policy judges goes through the pipeline before its handler runs, with
// `request_context::admitted`.
#pragma once

#include "http/routes/gateway.hpp"

namespace soma::http {

using operation_handler = asio::awaitable<response> (*)(gateway&, request_context&);

// Adds the route of an operation.
void add_operation(router& routes, gateway& g, std::string_view id, operation_handler run);
void add_operation(router& routes, gateway& g, std::string_view id, handler run);

// What policy is asked about: path:NAME, query:NAME, body:NAME. What cannot be read is nothing, and
// the handler says why.
std::string resource_of(const app::operation& what, request_context& ctx);

// What the request made, for its record: where `resource` names what it was made of, or where there
// may be several.
void tell_made(request_context& ctx, const std::vector<std::string>& ids);

// What the pipeline made of the request; only below an operation that policy judges.
const app::admitted& admitted_of(const request_context& ctx);

}  // namespace soma::http
