// `soma serve`: puts a node together, runs until a signal, and takes it apart in order.
#pragma once

#include "core/config.hpp"
#include "core/error.hpp"

namespace soma {

// Blocks. The process's exit status: 0, or 1 where not all had ended in time. Errors: why it could
// not start, or not save at its end.
result<int> serve(const config& settings);

}  // namespace soma
