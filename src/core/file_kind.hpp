// Files that are the program's own, or that it is told to read whole. What stands in the place of
// one may be none: opening a pipe would wait for its other end, and a device has no end. Blocks on
// the disk; thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma {

// No text of settings, rules or servers is longer.
inline constexpr std::size_t config_bytes_max = 1024 * 1024;

// What it is instead of a regular file, as "a pipe"; empty: it is one, or there is nothing. Links
// are followed.
std::string_view kind_if_no_file(const std::string& path);
std::string_view kind_if_no_file(int descriptor);

// ::open() for such files, with O_CLOEXEC: never waits, and gives no terminal. -1 and errno; who
// asks kind_if_no_file() of the descriptor learns whether it is a file.
int open_without_waiting(const char* path, int flags, unsigned mode = 0);

// The whole of a text that a setting names; a pipe may give it, too. Errors: config.invalid, with
// the path.
result<std::string> text_of_file(const std::string& path, std::size_t bytes_max);

}  // namespace soma
