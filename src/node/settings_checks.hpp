// What a start refuses before it looks at the data folder.
#pragma once

#include <cstddef>

#include "core/config.hpp"
#include "core/error.hpp"

namespace soma {

// As `soma config check` tells. Errors: config.invalid, naming the key or the file.
result<void> check_settings(const config& settings);

// Whether the server's port speaks TLS. A certificate without a key, or a key without one, is
// refused where they are opened.
bool speaks_tls(const config& settings);
// Connections that are asked for; `plan_descriptors` says how many there will be.
std::size_t connections_wanted(const config& settings);
// server.io_threads, or one a core.
std::size_t io_threads_of(const config& settings);

}  // namespace soma
