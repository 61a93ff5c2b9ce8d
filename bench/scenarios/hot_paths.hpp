// The five hot paths as loads: each on a server of its own, driven for some seconds at a time, with
// what was done counted in units of work. What they cost is measured around them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cost_probe.hpp"
#include "options.hpp"
#include "report.hpp"

namespace soma::bench {

class path_load {
 public:
  virtual ~path_load() = default;
  virtual child_process& server() = 0;
  // Drives the server for about so long; the units of work done in it, all of which are over.
  virtual double run(double seconds) = 0;
  // What must be zero.
  virtual void judge(report& r) = 0;
};

struct hot_path {
  const char* name;
  const char* unit;  // with its article
  std::unique_ptr<path_load> (*start)(const options&, const std::filesystem::path& folder,
                                      const environment& server);
};

// Durable append, fan-out delivery, replay, relay call, streamed word of a turn.
const std::vector<hot_path>& hot_paths();

}  // namespace soma::bench
