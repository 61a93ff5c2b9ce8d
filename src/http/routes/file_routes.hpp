// The routes of files, and what they share.
#pragma once

#include "app/uploads.hpp"
#include "http/routes/gateway.hpp"

namespace soma::http {

// The files that a body brings. Error: request.unsupported_media_type.
result<app::file_form> file_form_of(request_context& ctx);

void add_upload_routes(router& routes, gateway& g);   // uploads, attachments
void add_workdir_routes(router& routes, gateway& g);  // work folders

}  // namespace soma::http
