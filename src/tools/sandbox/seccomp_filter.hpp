// The system calls that a program in the sandbox may make. Everything else is refused, and what is
// of another architecture is killed.
#pragma once

#include <string>

#include "core/error.hpp"

namespace soma::tools {

// `ip_sockets`: whether it may make sockets of IP, in a network that has nothing but itself.
// The filter as the kernel takes it (an array of sock_filter). Some milliseconds; made once.
// Error: server.internal, where libseccomp does not know this machine.
result<std::string> make_seccomp_filter(bool ip_sockets);

}  // namespace soma::tools
