// Control groups for the runs of a sandbox: one bounds what all processes of a run use together,
// which resource limits cannot. Version 1 and 2; only where the machine lets us make groups.
//
// Threads: of one thread. Lifetime: a group is removed with its value, once its processes are gone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace soma::tools {

struct cgroup_limits {
  std::uint64_t memory_bytes = 0;
  std::uint32_t processes = 0;
};

class cgroup {
 public:
  ~cgroup();
  cgroup(cgroup&&) noexcept;
  cgroup& operator=(cgroup&&) noexcept;  // swaps

  // Files to write "0" into, so that the writer is moved into the group.
  const std::vector<int>& entrances() const { return entrances_; }
  // Whether a process was killed for the memory of the group.
  bool out_of_memory() const;
  // Processor time of all processes of the group; none where the machine does not tell.
  std::optional<std::uint64_t> cpu_ms() const;
  // Removes the folders; false while processes are still ending.
  bool remove();

 private:
  friend class cgroup_tree;
  cgroup() = default;
  std::vector<std::string> folders_;
  std::vector<int> entrances_;
  std::string memory_, cpu_;  // the folders that tell of memory and of processor time
  bool unified_ = false;
};

class cgroup_tree {
 public:
  // `folder`: where a version 2 tree was handed to us; empty: look at what this process is in.
  static cgroup_tree find(const std::string& folder);

  bool bounds_memory() const { return !memory_.empty(); }
  bool bounds_processes() const { return !pids_.empty(); }
  // A group of its own; none where one cannot be made (any more).
  std::optional<cgroup> make(const std::string& name, const cgroup_limits& limits) const;
  // Removes groups that servers before us left when they were killed.
  void sweep() const;

 private:
  std::string memory_, pids_, cpu_;  // folders to make groups in; equal ones: version 2
  bool unified_ = false;
};

}  // namespace soma::tools
