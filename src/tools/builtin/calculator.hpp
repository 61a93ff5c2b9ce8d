// calculator: {expression} → {result, exact}, see expression.hpp. At once, on the caller's thread.
#pragma once

#include <memory>

#include "tools/tool.hpp"

namespace soma::tools {

std::unique_ptr<tool> make_calculator();

}  // namespace soma::tools
