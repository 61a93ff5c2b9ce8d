// Opening what lies below a folder's handle, and nothing else: openat2 with every way out closed.
// Private to tools. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace soma::files {

// The descriptor, or -1 with errno. No symbolic link is followed, not even as the last name.
int open_beneath(int folder, const char* path, int flags, unsigned mode = 0);

// The names of a path, checked: workdir.path_invalid.
result<std::vector<std::string>> names_of(std::string_view path);

// The same for what is to be made: no name in it steers a terminal or turns the direction of text.
// A program may have made such names; those can be read, moved and removed.
result<std::vector<std::string>> new_names_of(std::string_view path);

error work_error(int number);  // of errno

}  // namespace soma::files
