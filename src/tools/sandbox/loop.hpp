// The thread behind a sandbox: starts the runs, reads what they write, ends them in time.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "tools/sandbox/cgroup.hpp"
#include "tools/sandbox/child.hpp"
#include "tools/sandbox/sandbox.hpp"

namespace soma::tools {

// What a run's handle and the thread share. `open`: its callbacks may be called.
struct run_gate {
  std::recursive_mutex mutex;  // a callback may destroy the handle
  bool open = true;
};

class sandbox::loop {
 public:
  explicit loop(sandbox_options options);
  ~loop();
  void try_out();  // once, before anything else
  void end();      // kills what runs and waits for it

  std::unique_ptr<sandbox_run> start(sandbox_command command, sandbox_callbacks callbacks,
                                     const std::shared_ptr<loop>& self);
  void cancel(std::uint64_t id);

  const std::string& unavailable() const { return unavailable_; }
  const std::string& confinement() const { return confinement_; }

 private:
  using clock = std::chrono::steady_clock;
  using reason = sandbox_end::reason;

  struct stream {
    int fd = -1;
    std::uint64_t seen = 0;
  };
  struct run {
    std::uint64_t id = 0;
    sandbox_command command;
    sandbox_callbacks callbacks;
    std::shared_ptr<run_gate> gate;
    child process;
    std::optional<cgroup> group;
    stream output, errors;
    std::uint64_t dropped = 0;
    sandbox_end end;
    bool ending = false, killed = false, reaped = false;  // asked to end; killed; its end is known
    clock::time_point deadline = clock::time_point::max(), next_look = clock::time_point::max();
    std::uint64_t disk_before = 0;
  };
  using run_ptr = std::unique_ptr<run>;

  void work();
  void wake();
  void take_orders();
  void begin(run_ptr started);
  result<void> spawn(run& r);
  void on_ready(std::uint64_t token);
  void on_readable(run& r, stream& from);
  void on_ended(run& r);
  void on_time(run& r, clock::time_point now);
  void look(run& r);
  void kill(run& r, reason why, std::string detail);
  void finish_if_done(run& r);
  void watch(int fd, std::uint64_t token);
  void unwatch(int& fd);
  int wait_ms() const;

  const sandbox_options options_;
  std::string unavailable_, confinement_, filter_, loopback_filter_;
  cgroup_tree groups_;
  int epoll_ = -1, wake_ = -1;
  std::map<std::uint64_t, run_ptr> runs_;  // of the thread
  std::vector<cgroup> leaving_;            // of the thread: groups not empty yet

  std::mutex mutex_;  // what follows
  std::vector<run_ptr> starting_;
  std::vector<std::uint64_t> cancelled_;
  bool stopping_ = false;
  std::uint64_t last_id_ = 0;
  std::size_t admitted_ = 0;
  std::map<std::string, std::size_t> admitted_of_;  // owners

  std::thread thread_;
};

}  // namespace soma::tools
