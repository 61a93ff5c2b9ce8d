// A server that a test kills: starts a run with children in a sandbox, says "ready",
// and waits. Its first argument marks them.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "tools/sandbox/sandbox.hpp"

int main(int, char** argv) {
  const std::string mark = argv[1];
  soma::tools::sandbox box;
  soma::tools::sandbox_command command;
  const std::string child = "exec -a " + mark + " sleep 1000";
  command.argv = {
      "/usr/bin/bash", "-c",
      "trap '' TERM; (" + child + ") & (setsid bash -c '" + child + "' &); echo ready; wait"};
  const auto run = box.start(command, {[](bool, std::string_view bytes) {
                                         std::fwrite(bytes.data(), 1, bytes.size(), stdout);
                                         std::fflush(stdout);
                                       },
                                       {}});
  for (;;) pause();
}
