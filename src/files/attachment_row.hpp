// An attachment as the document of its row. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "files/attachment_store.hpp"

namespace soma::files {

std::string encode_row(const stored_attachment& a);
// nullopt for what encode_row did not write. `tenant` and `id` are the key's.
std::optional<stored_attachment> decode_row(std::string_view json);

}  // namespace soma::files
