// Attachments as every door shows them, and as answers that name them are kept. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/uploads.hpp"

namespace soma::app {

std::string attachments_json(const std::vector<attachment>& all);
std::string known_files_json(const known_files& found);

// Errors: storage.corrupt.
result<std::vector<attachment>> parse_attachments(std::string_view json);
result<known_files> parse_known_files(std::string_view json);

}  // namespace soma::app
