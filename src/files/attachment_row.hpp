// An attachment as the document of its row. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "files/attachment_store.hpp"
#include "security/secrets/value_seal.hpp"

namespace soma::files {

std::string encode_row(const stored_attachment& a);
// nullopt for what encode_row did not write. `tenant` and `id` are the key's; of one that is sealed
// filename and hash are empty, until open_names.
std::optional<stored_attachment> decode_row(std::string_view json);

// Filename and hash under the tenant's key, bound to the tenant and the attachment's id, and back.
std::string sealed_names_of(const stored_attachment& a, const security::value_key& key);
bool open_names(stored_attachment& a, const security::value_key& key);

}  // namespace soma::files
