// Runs programs that are not trusted: each in a bubblewrap of its own with every namespace
// unshared, a network with nothing in it, a read-only view of /usr, a temporary folder of limited
// size, a list of allowed system calls, resource limits, and a cgroup where the machine lets us
// make one. docs/decisions/0081 says what stands against what.
//
// Threads: all calls are thread-safe and none blocks, except the constructor, which tries the
// sandbox out once (some 20 ms). One thread starts, reads and ends all runs and lives as long as
// the sandbox: the kernel kills what it started when that thread ends, so also when the server is
// killed. Callbacks come from that thread, one run's never at the same time.
// Lifetime: the sandbox outlives the handles of its runs; destroying it kills what still runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace soma::tools {

struct sandbox_bind {
  std::string from, to;  // a path of the machine, an absolute path inside
  bool writable = false;
};

struct sandbox_file {  // is there when the program starts; may be read only
  std::string path, bytes;
};

struct sandbox_limits {
  std::uint32_t timeout_ms = 30'000;  // 0: until its handle is destroyed
  std::uint32_t grace_ms = 500;       // between SIGTERM and SIGKILL
  std::uint32_t cpu_s = 20;           // 0: without an end
  std::uint64_t memory_bytes = 512ull << 20;
  std::uint32_t processes = 64;  // threads count
  std::uint32_t open_files = 256;
  std::uint64_t disk_bytes = 64ull << 20;     // of /tmp, of one file, of what is added to `work`
  std::uint64_t output_bytes = 64ull << 10;   // of each stream; what follows is read and dropped
  std::uint64_t dropped_bytes = 64ull << 20;  // of both streams; past it the run is killed
};

struct sandbox_command {
  std::string
      owner;  // who has three quarters of the sandboxes at most; empty: nobody in particular
  std::vector<std::string> argv;                                 // argv[0]: a path inside
  std::vector<std::pair<std::string, std::string>> environment;  // beside PATH, HOME, LANG, TMPDIR
  std::vector<sandbox_bind> binds;
  std::vector<sandbox_file> files;
  std::string work;    // a folder of the machine, writable at /work; empty: one in memory
  std::string folder;  // where it starts; empty: /work
  std::string input;   // its standard input
  int input_fd = -1;   // a file in place of `input`; taken over and closed
  // Stay open inside, under their own numbers. The caller keeps them open until the end is told.
  std::vector<int> inherited;
  // Whether it may have sockets of IP. There is nobody to reach by them but itself.
  bool loopback = false;
  sandbox_limits limits;
};

struct sandbox_end {
  // exited: by itself, see exit_code (128 + n after signal n). The others: it was killed for this.
  // refused: it was not started, see detail.
  enum class reason { exited, timeout, cpu, memory, output, disk, refused };
  reason why = reason::exited;
  int exit_code = 0;
  bool truncated = false;  // output was dropped
  bool busy = false;       // refused for now only
  std::string detail;      // a sentence, for all but `exited`
};

struct sandbox_callbacks {
  // Bytes as they came, cut anywhere. `error_stream`: of standard error.
  std::function<void(bool error_stream, std::string_view bytes)> on_output;
  std::function<void(sandbox_end)> on_end;  // once; every process of the run is gone by then
};

// Destroying it kills the run; no callback is running or will come once the destructor is back,
// except where a callback destroys it. The caller holds no lock that a callback takes.
class sandbox_run {
 public:
  virtual ~sandbox_run() = default;
};

struct sandbox_options {
  std::string bubblewrap = "/usr/bin/bwrap";
  std::string cgroup;                // a folder we may make cgroups in; empty: look for one
  bool cgroups = true;               // false: do without
  std::size_t runs_max = 64;         // at once; more are refused as busy
  std::size_t entries_max = 20'000;  // files and folders in `work`
};

class sandbox {
 public:
  explicit sandbox(sandbox_options options = {});
  ~sandbox();
  sandbox(const sandbox&) = delete;
  sandbox& operator=(const sandbox&) = delete;

  // Why nothing can run on this machine, for a person; empty where it can.
  const std::string& unavailable() const;
  // What bounds memory and processes here, for a person.
  const std::string& confinement() const;

  std::unique_ptr<sandbox_run> start(sandbox_command command, sandbox_callbacks callbacks);

 private:
  class loop;
  std::shared_ptr<loop> loop_;
};

}  // namespace soma::tools
