// The server's own secret, which keys every stored hash and every ticket. Whoever changes it
// revokes all API keys, browser sessions and tickets.
#pragma once

#include <string>

#include "core/error.hpp"
#include "core/secret.hpp"

namespace soma::security {

// Reads <data_dir>/secret/server.key (32 bytes, mode 0600), making folder and file when they are
// not there; the file appears whole or not at all and is synced. Fails with storage.unavailable,
// and with config.invalid when the file is of another size or open to others. Blocks; once, at
// start.
std::string server_key_file(const std::string& data_dir);
// Whether there is one, or something in its place. Who has stored hashes asks before it loads: a
// new key makes them void.
bool has_server_key(const std::string& data_dir);
// Makes the key of a data folder that has none a copy of `file`. Errors: config.invalid, where that
// is no key, or the folder has another; storage.unavailable.
result<void> take_server_key(const std::string& data_dir, const std::string& file);
result<secret_string> load_server_key(const std::string& data_dir);

}  // namespace soma::security
