// The routes of files, apart from the others because of what they stand on.
#pragma once

#include "app/file_services.hpp"
#include "http/routes/gateway.hpp"

namespace soma::http {

// Hands a streamed body on in pieces, on the pool; stops at the first that is refused.
asio::awaitable<result<void>> each_piece(app::file_services& f, request_context& ctx,
                                         std::function<result<void>(std::string_view)> take);

void add_upload_routes(router& routes, gateway& g);   // uploads, attachments
void add_workdir_routes(router& routes, gateway& g);  // work folders

}  // namespace soma::http
