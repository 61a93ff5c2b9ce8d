#include "tools/sandbox/child.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/codes.hpp"

namespace soma::tools {
namespace {

int open_pidfd(pid_t pid) {
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}
void send_signal(int pidfd, int signal) {
  syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
}

bool limit(__rlimit_resource_t what, std::uint64_t soft, std::uint64_t hard) {
  const rlimit value{soft, hard};
  return setrlimit(what, &value) == 0;
}

bool limits_set(const child_plan& plan) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t open_files = std::min<rlim_t>(plan.open_files, files.rlim_max);
  // Data rather than address space: interpreters reserve far more of the latter than they use.
  return limit(RLIMIT_CORE, 0, 0) &&
         (plan.cpu_s == 0 || limit(RLIMIT_CPU, plan.cpu_s, plan.cpu_s + 1)) &&
         limit(RLIMIT_DATA, plan.data_bytes, plan.data_bytes) &&
         limit(RLIMIT_FSIZE, plan.file_bytes, plan.file_bytes) &&
         limit(RLIMIT_NOFILE, open_files, open_files) && limit(RLIMIT_MEMLOCK, 0, 0) &&
         limit(RLIMIT_MSGQUEUE, 0, 0);
}

void forget_signals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void prefer_to_lose() {  // where the machine runs out of memory, rather than the server
  const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const auto written = write(fd, "1000", 4);
  close(fd);
}

// In the child; only system calls, since the parent's memory is ours too until the exec.
[[noreturn]] void become(const child_plan& plan, char* const* argv, char* const* environment,
                         pid_t parent, volatile int& failed) {
  const auto fail = [&] {
    failed = errno ? errno : EPERM;
    _exit(127);
  };
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail();
  if (getppid() != parent) _exit(127);  // it died before it could take us along
  for (const int entrance : plan.cgroup_entrances)
    if (write(entrance, "0", 1) != 1) fail();
  if (dup2(plan.input, 0) < 0 || dup2(plan.output, 1) < 0 || dup2(plan.errors, 2) < 0) fail();
  // Whatever else the server has open stays here, also what a library forgot to mark.
  if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) != 0) fail();
  for (const int fd : plan.inherited)
    if (fcntl(fd, F_SETFD, 0) != 0) fail();
  prefer_to_lose();
  if (!limits_set(plan)) fail();
  forget_signals();
  execve(plan.program.c_str(), argv, environment);
  fail();
  _exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

std::vector<pid_t> children_of(pid_t pid) {
  const auto id = std::to_string(pid);
  std::ifstream in("/proc/" + id + "/task/" + id + "/children");
  std::vector<pid_t> out;
  for (pid_t child = 0; in >> child;) out.push_back(child);
  return out;
}

// The namespace of processes that `pid` is in; empty where it is gone.
std::string namespace_of(pid_t pid) {
  char text[64];
  const auto n = readlink(("/proc/" + std::to_string(pid) + "/ns/pid").c_str(), text, sizeof text);
  return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : std::string();
}

}  // namespace

result<child> start_child(const child_plan& plan) {
  const auto argv = pointers(plan.argv), environment = pointers(plan.environment);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // a handler of ours must not run in the child
  volatile int failed = 0;
  const pid_t parent = getpid();
  // vfork, since copying the tables of a large server's memory takes longer than all else here.
  const pid_t pid = vfork();
  if (pid == 0) become(plan, argv.data(), environment.data(), parent, failed);
  const int why = pid < 0 ? errno : failed;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return error{codes::server_busy, std::string("no process: ") + strerror(why)};
  child out{pid, open_pidfd(pid)};
  if (why == 0 && out.pidfd >= 0) return out;
  const int reason = why ? why : errno;
  ::kill(pid, SIGKILL);
  siginfo_t ended{};
  waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED);
  if (out.pidfd >= 0) close(out.pidfd);
  return error{codes::tool_failed, plan.program + " cannot be started: " + strerror(reason)};
}

void ask_to_end(pid_t bubblewrap) {
  const auto inits = children_of(bubblewrap);
  if (inits.empty()) return;
  const auto inside = namespace_of(inits[0]);
  std::vector<pid_t> found = children_of(inits[0]);
  for (std::size_t i = 0; i < found.size() && found.size() < 4096; ++i) {
    const auto more = children_of(found[i]);
    found.insert(found.end(), more.begin(), more.end());
    // The number may be another process's by now: what the descriptor is of is in our namespace,
    // or it is gone and the signal goes nowhere.
    const int pidfd = open_pidfd(found[i]);
    if (pidfd < 0) continue;
    if (!inside.empty() && namespace_of(found[i]) == inside) send_signal(pidfd, SIGTERM);
    close(pidfd);
  }
}

void kill_inside(const child& bubblewrap) {
  const auto inits = children_of(bubblewrap.pid);
  const int init = inits.empty() ? -1 : open_pidfd(inits[0]);
  // Still the child of one that we have not reaped: the number was not given away in between.
  const bool same = init >= 0 && children_of(bubblewrap.pid) == inits;
  send_signal(same ? init : bubblewrap.pidfd, SIGKILL);
  if (init >= 0) close(init);
}

}  // namespace soma::tools
