// `soma serve`: puts the parts of a node together, runs until a signal, and takes them apart in
// order. Blocks; the process's exit status is returned.
#pragma once

#include "core/config.hpp"
#include "core/error.hpp"

namespace soma {

// What a start refuses before it looks at the data folder, as `soma config check` tells. Errors:
// config.invalid, naming the key or the file.
result<void> check_settings(const config& settings);

// Connections that are asked for; `plan_descriptors` says how many there will be.
std::size_t connections_wanted(const config& settings);

int serve(const config& settings);

}  // namespace soma
