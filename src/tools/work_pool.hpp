// A few threads for tools that only wait for the disk: a worker_pool whose work has an outcome.
// Bounded: what finds the queue full is refused. Thread-safe; the destructor finishes what runs and
// forgets what waits.
#pragma once

#include <functional>
#include <memory>

#include "tools/tool_runner.hpp"
#include "tools/worker_pool.hpp"

namespace soma::tools {

class work_pool {
 public:
  explicit work_pool(unsigned threads = 2, std::size_t waiting_max = 256)
      : workers_(threads, waiting_max) {}

  // Runs `work` on one of the threads and tells `sink` its outcome, unless the handle is gone by
  // then. A full queue is told at once, as tool.busy.
  std::unique_ptr<running_tool> start(std::function<tool_outcome()> work, tool_sink sink);

 private:
  worker_pool workers_;
};

}  // namespace soma::tools
