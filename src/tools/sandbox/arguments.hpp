// What bubblewrap is told: what a run sees, in the order in which it is put there. Pure, but for
// looking at whether /bin and the like are links on this machine.
#pragma once

#include <string>
#include <vector>

#include "tools/sandbox/sandbox.hpp"

namespace soma::tools {

struct passed_file {  // bytes that bubblewrap reads from a descriptor and leaves at `path`
  int fd = -1;
  std::string path;
};

struct sandbox_view {
  int seccomp_fd = -1;
  std::vector<passed_file> files;
  bool limit_processes = false;  // by a resource limit, where there is no cgroup for it
};

std::vector<std::string> bubblewrap_arguments(const sandbox_command& command,
                                              const sandbox_view& view);
std::vector<std::string> sandbox_environment(const sandbox_command& command);

}  // namespace soma::tools
