// Starts bubblewrap and takes its processes down. Linux only. Nothing here allocates between the
// fork and the exec, so that it is safe in a server with threads.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace soma::tools {

struct child_plan {
  std::string program;
  std::vector<std::string> argv, environment;
  int input = -1, output = -1, errors = -1;  // become 0, 1 and 2
  std::vector<int> inherited;                // stay open, under their own numbers
  std::vector<int> cgroup_entrances;         // see cgroup::entrances
  std::uint32_t cpu_s = 0, open_files = 0;
  std::uint64_t data_bytes = 0, file_bytes = 0;
};

struct child {
  pid_t pid = -1;
  int pidfd = -1;  // readable once it has ended; the caller closes it
};

// The kernel kills the child when the calling thread ends. Error: server.busy where the machine
// has no process or descriptor left, tool.failed otherwise.
result<child> start_child(const child_plan& plan);

// bubblewrap stands outside its namespaces, its init is the first process inside.
// Asks the programs inside to end; those that start meanwhile may be missed.
void ask_to_end(pid_t bubblewrap);
// Kills the init, with which the kernel kills all that is inside; where there is none yet,
// bubblewrap itself. Once bubblewrap has ended nothing of the run is left.
void kill_inside(const child& bubblewrap);

}  // namespace soma::tools
