#include "tools/sandbox/cgroup.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>
#include <utility>

namespace soma::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "soma-";

bool put(const std::string& file, const std::string& text) {
  const int fd = open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool ok = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return ok;
}

std::string get(const std::string& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The number after `name` in lines of "name number"; with an empty name, the whole text.
std::optional<std::uint64_t> number_of(const std::string& text, std::string_view name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::string_view rest(line);
    if (!name.empty()) {
      if (!rest.starts_with(name) || rest.size() <= name.size() || rest[name.size()] != ' ')
        continue;
      rest.remove_prefix(name.size() + 1);
    }
    std::uint64_t value = 0;
    if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec == std::errc{})
      return value;
  }
  return std::nullopt;
}

bool can_make(const std::string& folder) {
  return !folder.empty() && access(folder.c_str(), W_OK) == 0;
}

// The folder of this process for each controller, "" for version 2's.
std::map<std::string, std::string> own_folders() {
  std::map<std::string, std::string> mounted, own;
  std::istringstream mounts(get("/proc/self/mounts"));
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string source, where, type, options;
    words >> source >> where >> type >> options;
    if (type == "cgroup2") mounted[""] = where;
    if (type != "cgroup") continue;
    std::istringstream names(options);
    for (std::string name; std::getline(names, name, ',');) mounted[name] = where;
  }
  std::istringstream groups(get("/proc/self/cgroup"));
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::istringstream names(line.substr(first + 1, second - first - 1));
    std::string name;
    do {
      std::getline(names, name, ',');
      if (const auto at = mounted.find(name); at != mounted.end())
        own[name] = at->second + line.substr(second + 1);
    } while (names.good());
  }
  return own;
}

// Whether groups made in this version 2 folder get both controllers. We do not move processes of
// the server to make it so: who runs it decides where it may.
bool delegates(const std::string& folder) {
  if (!can_make(folder)) return false;
  const auto file = folder + "/cgroup.subtree_control";
  put(file, "+memory +pids");
  const auto given = get(file);
  return given.find("memory") != std::string::npos && given.find("pids") != std::string::npos;
}

}  // namespace

cgroup::cgroup(cgroup&& other) noexcept
    : folders_(std::exchange(other.folders_, {})),
      entrances_(std::exchange(other.entrances_, {})),
      memory_(std::move(other.memory_)),
      cpu_(std::move(other.cpu_)),
      unified_(other.unified_) {}

cgroup& cgroup::operator=(cgroup&& other) noexcept {
  std::swap(folders_, other.folders_);
  std::swap(entrances_, other.entrances_);
  std::swap(memory_, other.memory_);
  std::swap(cpu_, other.cpu_);
  std::swap(unified_, other.unified_);
  return *this;
}

cgroup::~cgroup() {
  remove();
  for (const int fd : entrances_) close(fd);
}

bool cgroup::out_of_memory() const {
  if (memory_.empty()) return false;
  const auto file = memory_ + (unified_ ? "/memory.events" : "/memory.oom_control");
  return number_of(get(file), "oom_kill").value_or(0) > 0;
}

std::optional<std::uint64_t> cgroup::cpu_ms() const {
  if (cpu_.empty()) return std::nullopt;
  const auto used = unified_ ? number_of(get(cpu_ + "/cpu.stat"), "usage_usec")
                             : number_of(get(cpu_ + "/cpuacct.usage"), "");
  if (!used) return std::nullopt;
  return *used / (unified_ ? 1'000 : 1'000'000);
}

bool cgroup::remove() {
  std::erase_if(folders_, [](const std::string& folder) {
    return rmdir(folder.c_str()) == 0 || errno == ENOENT;
  });
  return folders_.empty();
}

cgroup_tree cgroup_tree::find(const std::string& folder) {
  cgroup_tree tree;
  auto own = own_folders();
  const auto unified = folder.empty() ? own[""] : folder;
  if (delegates(unified)) {
    tree.memory_ = tree.pids_ = tree.cpu_ = unified;
    tree.unified_ = true;
    return tree;
  }
  if (can_make(own["memory"])) tree.memory_ = own["memory"];
  if (can_make(own["pids"])) tree.pids_ = own["pids"];
  if (can_make(own["cpuacct"])) tree.cpu_ = own["cpuacct"];
  return tree;
}

std::optional<cgroup> cgroup_tree::make(const std::string& name,
                                        const cgroup_limits& limits) const {
  cgroup made;
  made.unified_ = unified_;
  const auto folder = [&](const std::string& parent) -> std::string {
    if (parent.empty()) return {};
    const auto path = parent + "/" + std::string(prefix) + name;
    for (const auto& known : made.folders_)
      if (known == path) return path;
    if (mkdir(path.c_str(), 0755) != 0) return {};
    made.folders_.push_back(path);
    return path;
  };
  made.memory_ = folder(memory_);
  const auto pids = folder(pids_);
  made.cpu_ = folder(cpu_);
  if (made.memory_.empty() != memory_.empty() || pids.empty() != pids_.empty()) return std::nullopt;
  const auto memory = std::to_string(limits.memory_bytes);
  bool ok = made.memory_.empty() ||
            put(made.memory_ + (unified_ ? "/memory.max" : "/memory.limit_in_bytes"), memory);
  if (!made.memory_.empty()) {  // no way out into swap; not every kernel counts it
    put(made.memory_ + (unified_ ? "/memory.swap.max" : "/memory.memsw.limit_in_bytes"),
        unified_ ? "0" : memory);
    if (unified_) put(made.memory_ + "/memory.oom.group", "1");
  }
  ok = ok && (pids.empty() || put(pids + "/pids.max", std::to_string(limits.processes)));
  for (const auto& path : made.folders_) {
    const int fd = open((path + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    made.entrances_.push_back(fd);
  }
  if (!ok) return std::nullopt;
  return made;
}

void cgroup_tree::sweep() const {
  for (const auto& parent : {memory_, pids_, cpu_}) {
    if (parent.empty()) continue;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(parent, ec)) {
      const auto name = entry.path().filename().string();
      if (!name.starts_with(prefix)) continue;
      int pid = 0;
      const char* digits = name.c_str() + prefix.size();
      std::from_chars(digits, name.c_str() + name.size(), pid);
      if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) rmdir(entry.path().c_str());
    }
  }
}

}  // namespace soma::tools
