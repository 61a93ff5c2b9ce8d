// What a server's work costs besides time: CPU (by thread, too), allocations, system calls and task
// switches between two marks. CPU comes from /proc; allocations from the library that the bench
// builds beside itself (preload/preload.c) and the server loads; system calls from `perf stat` on
// the kernel's tracepoints, where that is installed and permitted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "process.hpp"

namespace soma::bench {

using environment = std::vector<std::pair<std::string, std::string>>;

// The library beside this program.
std::filesystem::path preload_library();

// Nanoseconds of CPU by the threads' names, numbers cut off.
std::map<std::string, double> cpu_by_thread(pid_t pid);

class allocation_counter {
 public:
  // Makes the file; a server that is started with `to_be_set` counts into it.
  explicit allocation_counter(const std::filesystem::path& file);
  ~allocation_counter();
  allocation_counter(const allocation_counter&) = delete;
  allocation_counter& operator=(const allocation_counter&) = delete;

  environment to_be_set() const;
  struct sums {
    double allocations = 0, bytes = 0;
  };
  sums now() const;  // since the server's start

 private:
  std::filesystem::path file_;
  void* mapped_ = nullptr;
};

class system_call_counter {
 public:
  // Attaches to every thread of `pid`; counts nothing until `begin`. Null with `why` where the
  // kernel or the machine does not allow it.
  static std::unique_ptr<system_call_counter> attach(pid_t pid, const std::filesystem::path& folder,
                                                     std::string& why);
  ~system_call_counter();

  void begin();
  // By name: "system calls", "task switches" and the calls that hot paths make.
  std::map<std::string, double> end();

 private:
  system_call_counter() = default;
  bool command(const char* word);

  std::filesystem::path output_;
  int control_ = -1, answer_ = -1;
  std::unique_ptr<child_process> perf_;
};

}  // namespace soma::bench
