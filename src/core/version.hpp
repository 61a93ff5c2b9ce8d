// The version of the program, from CMakeLists.txt.
#pragma once

#include <string_view>

namespace soma {

#ifndef SOMA_VERSION
#define SOMA_VERSION "0.0.0"
#endif
inline constexpr std::string_view version = SOMA_VERSION;

}  // namespace soma
