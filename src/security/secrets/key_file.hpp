// Keys that encrypt stored secrets: the list of auth.enc_key, or the file of auth.enc_key_file, one
// a line. The first encrypts, all decrypt. The file belongs to its owner alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/secret.hpp"

namespace soma::security {

// Separated by commas or line ends. Errors: config.invalid.
result<std::vector<secret_string>> parse_encryption_keys(std::string_view text);

// Errors: config.invalid, also where others may read it.
result<std::vector<secret_string>> read_key_file(const std::string& path);

// Puts a fresh key before those of the file, which is made where there is none. A crash leaves the
// old file or the new one. Gives how many keys it now holds. Blocks on an fsync.
// Errors: config.invalid, storage.unavailable.
result<std::size_t> add_key_to_file(const std::string& path);

}  // namespace soma::security
