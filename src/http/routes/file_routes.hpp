// The routes of files, apart from the others because of what they stand on.
#pragma once

#include "app/file_services.hpp"
#include "http/routes/gateway.hpp"

namespace soma::http {

void add_upload_routes(router& routes, gateway& g);   // uploads, attachments
void add_workdir_routes(router& routes, gateway& g);  // work folders

}  // namespace soma::http
