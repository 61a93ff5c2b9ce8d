// `soma serve`: puts the parts of a node together, runs until a signal, and takes them apart in
// order. Blocks; the process's exit status is returned.
#pragma once

#include "core/config.hpp"

namespace soma {

int serve(const config& settings);

}  // namespace soma
