#include "process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "clock.hpp"

namespace soma::bench {
namespace {

struct stat_line {
  pid_t parent = -1;
  double cpu_s = 0;
};

// proc(5): the name, field 2, may hold spaces, so reading starts after its closing bracket.
stat_line read_stat(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto name_end = text.rfind(')');
  if (name_end == text.npos) return {};
  std::istringstream fields(text.substr(name_end + 1));
  stat_line line;
  std::string skipped;
  fields >> skipped >> line.parent;
  for (int field = 5; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  line.cpu_s = (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return line;
}

std::vector<pid_t> family_of(pid_t root) {
  std::vector<std::pair<pid_t, pid_t>> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto pid = static_cast<pid_t>(std::atoi(entry.path().filename().c_str()));
    if (pid > 0) all.emplace_back(pid, read_stat(pid).parent);
  }
  std::vector<pid_t> family{root};
  for (std::size_t i = 0; i < family.size(); ++i) {
    for (const auto& [pid, parent] : all) {
      if (parent == family[i]) family.push_back(pid);
    }
  }
  return family;
}

[[noreturn]] void become(const process_options& options, int log_fd) {
  ::prctl(PR_SET_PDEATHSIG, options.death_signal);
  ::setpgid(0, 0);
  ::dup2(log_fd, STDOUT_FILENO);
  ::dup2(log_fd, STDERR_FILENO);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  for (const auto& [name, value] : options.environment) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  std::vector<char*> argv;
  for (const auto& arg : options.argv) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  std::perror(argv[0]);
  ::_exit(127);
}

}  // namespace

child_process::child_process(const process_options& options) : log_(options.log) {
  const int log_fd = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log_fd < 0) throw std::system_error(errno, std::generic_category(), log_.string());
  pid_ = ::fork();
  if (pid_ == 0) become(options, log_fd);
  const int fork_error = errno;
  ::close(log_fd);
  if (pid_ < 0) throw std::system_error(fork_error, std::generic_category(), "fork");
}

child_process::~child_process() {
  stop();
}

bool child_process::running() {
  if (pid_ <= 0) return false;
  if (::waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

void child_process::stop(int limit_ms) {
  if (!running()) return;
  const pid_t group = pid_;
  ::kill(pid_, SIGTERM);
  const auto deadline = now_ns() + limit_ms * ns_per_ms;
  while (running() && now_ns() < deadline) ::usleep(2000);
  ::kill(-group, SIGKILL);  // also what the child may have left behind in its group
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

double child_process::cpu_seconds() const {
  double sum = 0;
  for (const auto pid : family_of(pid_)) sum += read_stat(pid).cpu_s;
  return sum;
}

memory_use child_process::memory() const {
  memory_use sum;
  for (const auto pid : family_of(pid_)) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("Pss:")) sum.pss_bytes += 1024 * std::atof(line.c_str() + 4);
      if (line.starts_with("Rss:")) sum.rss_bytes += 1024 * std::atof(line.c_str() + 4);
    }
  }
  return sum;
}

std::string child_process::log_tail() const {
  std::ifstream file(log_, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto size = static_cast<std::streamoff>(file.tellg());
  file.seekg(std::max<std::streamoff>(0, size - 2000));
  return {std::istreambuf_iterator<char>(file), {}};
}

double own_cpu_seconds() {
  rusage u{};
  ::getrusage(RUSAGE_SELF, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

scratch_folder::scratch_folder(const std::filesystem::path& parent) {
  std::filesystem::create_directories(parent);
  std::string name = (std::filesystem::absolute(parent) / "soma-bench-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), name);
  }
  path_ = name;
}

scratch_folder::~scratch_folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string first_line_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen((command + " 2>&1").c_str(), "r"),
                                                   ::pclose);
  char line[256] = {};
  if (!pipe || std::fgets(line, sizeof line, pipe.get()) == nullptr) return {};
  std::string text(line);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

std::size_t raise_open_file_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_max;
}

}  // namespace soma::bench
