#include "cost_probe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "preload/counts.h"

namespace soma::bench {
namespace {

constexpr std::size_t counts_size = BENCH_COUNT_SLOTS * sizeof(bench_counts);

constexpr const char* calls_told[] = {
    "futex",    "epoll_wait", "read",     "write",   "readv",           "writev",
    "recvfrom", "recvmsg",    "sendto",   "sendmsg", "pwrite64",        "pread64",
    "fsync",    "fdatasync",  "connect",  "accept4", "timerfd_settime", "madvise",
    "openat",   "close",      "epoll_ctl"};

}  // namespace

std::filesystem::path preload_library() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libsoma_bench_preload.so";
}

std::map<std::string, double> cpu_by_thread(pid_t pid) {
  std::map<std::string, double> sums;
  std::error_code gone;
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& entry : std::filesystem::directory_iterator(tasks, gone)) {
    std::ifstream name_file(entry.path() / "comm"), stat_file(entry.path() / "schedstat");
    std::string name;
    double ns = 0;
    if (!std::getline(name_file, name) || !(stat_file >> ns)) continue;
    name.resize(name.find_last_not_of("0123456789.-_:/ ") + 1);
    sums[name] += ns;
  }
  return sums;
}

allocation_counter::allocation_counter(const std::filesystem::path& file) : file_(file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(counts_size)) != 0)
    throw std::system_error(errno, std::generic_category(), file.string());
  mapped_ = ::mmap(nullptr, counts_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (mapped_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
}

allocation_counter::~allocation_counter() {
  ::munmap(mapped_, counts_size);
}

environment allocation_counter::to_be_set() const {
  return {{"LD_PRELOAD", preload_library().string()}, {"BENCH_COUNTS", file_.string()}};
}

allocation_counter::sums allocation_counter::now() const {
  const auto* slots = static_cast<const bench_counts*>(mapped_);
  sums all;
  for (std::size_t i = 0; i < BENCH_COUNT_SLOTS; ++i) {
    all.allocations +=
        static_cast<double>(__atomic_load_n(&slots[i].allocations, __ATOMIC_RELAXED));
    all.bytes += static_cast<double>(__atomic_load_n(&slots[i].bytes, __ATOMIC_RELAXED));
  }
  return all;
}

std::unique_ptr<system_call_counter> system_call_counter::attach(
    pid_t pid, const std::filesystem::path& folder, std::string& why) {
  if (first_line_of("perf stat -x, -e raw_syscalls:sys_enter -- true").find("raw_syscalls") ==
      std::string::npos) {
    why = "perf stat on the kernel's tracepoints is not installed or not permitted";
    return nullptr;
  }
  std::unique_ptr<system_call_counter> c(new system_call_counter);
  const auto control = folder / "perf.control", answer = folder / "perf.answer";
  c->output_ = folder / "perf.counts";
  for (const auto& fifo : {control, answer}) {
    ::unlink(fifo.c_str());
    if (::mkfifo(fifo.c_str(), 0600) != 0)
      throw std::system_error(errno, std::generic_category(), fifo.string());
  }
  c->control_ = ::open(control.c_str(), O_RDWR | O_CLOEXEC);
  c->answer_ = ::open(answer.c_str(), O_RDWR | O_CLOEXEC);
  std::string events = "context-switches,raw_syscalls:sys_enter";
  for (const auto* call : calls_told) events += std::string(",syscalls:sys_enter_") + call;
  process_options p;
  p.argv = {"/usr/bin/env", "perf",
            "stat",         "-x,",
            "-e",           events,
            "-p",           std::to_string(pid),
            "-D",           "-1",
            "--control",    "fifo:" + control.string() + "," + answer.string(),
            "-o",           c->output_.string()};
  p.log = folder / "perf.log";
  c->perf_ = std::make_unique<child_process>(p);
  // Answered once it is attached; it begins when it is told to.
  if (!c->command("disable\n")) {
    why = "perf stat did not attach: " + c->perf_->log_tail();
    return nullptr;
  }
  return c;
}

system_call_counter::~system_call_counter() {
  perf_.reset();
  if (control_ >= 0) ::close(control_);
  if (answer_ >= 0) ::close(answer_);
}

bool system_call_counter::command(const char* word) {
  if (::write(control_, word, std::strlen(word)) < 0) return false;
  for (int tries = 0; tries < 100 && perf_->running(); ++tries) {
    pollfd p{answer_, POLLIN, 0};
    if (::poll(&p, 1, 100) <= 0) continue;
    char text[64];
    return ::read(answer_, text, sizeof text) > 0;
  }
  return false;
}

void system_call_counter::begin() {
  if (!command("enable\n")) throw std::runtime_error("perf stat does not answer");
}

std::map<std::string, double> system_call_counter::end() {
  if (!command("disable\n")) throw std::runtime_error("perf stat does not answer");
  // It writes what it counted on SIGINT alone.
  ::kill(perf_->pid(), SIGINT);
  for (int tries = 0; tries < 2000 && perf_->running(); ++tries) ::usleep(5000);
  std::map<std::string, double> counts;
  std::ifstream file(output_);
  for (std::string line; std::getline(file, line);) {
    // value,unit,event,…
    const auto first = line.find(','), second = line.find(',', first + 1);
    if (first == line.npos || second == line.npos) continue;
    auto name = line.substr(second + 1, line.find(',', second + 1) - second - 1);
    constexpr std::string_view prefix = "syscalls:sys_enter_";
    if (name == "context-switches")
      name = "task switches";
    else if (name == "raw_syscalls:sys_enter")
      name = "system calls";
    else if (name.starts_with(prefix))
      name.erase(0, prefix.size());
    else
      continue;
    counts[name] = std::atof(line.c_str());
  }
  if (counts.empty()) throw std::runtime_error("perf stat told nothing: " + perf_->log_tail());
  return counts;
}

}  // namespace soma::bench
