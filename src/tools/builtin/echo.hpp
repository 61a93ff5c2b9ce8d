// echo: {text} → {text}. At once, on the caller's thread. For trying out that tools work.
#pragma once

#include <memory>

#include "tools/tool.hpp"

namespace soma::tools {

std::unique_ptr<tool> make_echo();

}  // namespace soma::tools
