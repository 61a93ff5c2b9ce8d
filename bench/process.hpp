// The servers under test as child processes, what they cost, and folders that go away.
//
// A child is stopped when its object ends, and gets a signal from the kernel if the harness itself
// is killed. Start children from the main thread only: that signal is tied to the forking thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace soma::bench {

struct process_options {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours
  std::filesystem::path log;                                     // its stdout and stderr
  int death_signal = 9;
};

struct memory_use {
  double pss_bytes = 0;
  double rss_bytes = 0;
};

class child_process {
 public:
  explicit child_process(const process_options& options);
  ~child_process();
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();

  // SIGTERM, then SIGKILL after the limit; returns once the child is reaped.
  void stop(int limit_ms = 20'000);

  // Of the process and its descendants, as /proc tells it now.
  double cpu_seconds() const;
  memory_use memory() const;

  std::string log_tail() const;  // the last 2,000 bytes of its log

 private:
  pid_t pid_ = -1;
  std::filesystem::path log_;
};

double own_cpu_seconds();

// A new folder under `parent`, removed with all it holds when the object ends.
class scratch_folder {
 public:
  explicit scratch_folder(const std::filesystem::path& parent);
  ~scratch_folder();
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The first line a command prints, for the report; "" when it cannot be run.
std::string first_line_of(const std::string& command);

// Allows as many open files as the system permits and returns that number.
std::size_t raise_open_file_limit();

}  // namespace soma::bench
