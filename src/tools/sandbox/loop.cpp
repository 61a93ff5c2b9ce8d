#include "tools/sandbox/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/codes.hpp"
#include "tools/sandbox/arguments.hpp"
#include "tools/sandbox/descriptors.hpp"
#include "tools/sandbox/folder_walk.hpp"
#include "tools/sandbox/seccomp_filter.hpp"

namespace soma::tools {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t read_bytes = 64 * 1024;
// How long destroying the sandbox waits for its runs; what is left then dies with the thread.
constexpr auto stop_patience = 5s;
// How often a run's processor time and disk are looked at, at most.
constexpr auto look_every = 100ms;
// Looking may take a twentieth of the thread.
constexpr int look_share = 20;

// What a descriptor of a run is; a token is the run's id times four plus this.
enum watched : std::uint64_t { its_output, its_errors, its_end };
constexpr std::uint64_t wake_token = ~0ull;

std::uint64_t token(std::uint64_t id, watched what) {
  return id * 4 + what;
}

template <class F>
void call(run_gate& gate, F f) {
  std::lock_guard hold(gate.mutex);
  if (gate.open) f();
}

}  // namespace

void sandbox::loop::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_, &one, sizeof one);
}

void sandbox::loop::cancel(std::uint64_t id) {
  {
    std::lock_guard hold(mutex_);
    cancelled_.push_back(id);
  }
  wake();
}

void sandbox::loop::watch(int fd, std::uint64_t of) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = of;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void sandbox::loop::unwatch(int& fd) {
  if (fd < 0) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  close(fd);
  fd = -1;
}

void sandbox::loop::work() {
  watch(wake_, wake_token);
  auto give_up = clock::time_point::max();
  for (;;) {
    std::array<epoll_event, 64> ready;
    const int n = epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), wait_ms());
    for (int i = 0; i < n; ++i) on_ready(ready[static_cast<std::size_t>(i)].data.u64);
    take_orders();
    const auto now = clock::now();
    std::vector<std::uint64_t> ids;
    for (const auto& [id, r] : runs_) ids.push_back(id);
    for (const auto id : ids)
      if (const auto at = runs_.find(id); at != runs_.end()) on_time(*at->second, now);
    std::erase_if(leaving_, [](cgroup& group) { return group.remove(); });
    std::lock_guard hold(mutex_);
    if (!stopping_) continue;
    give_up = std::min(give_up, now + stop_patience);
    const bool done = runs_.empty() && starting_.empty() && leaving_.empty();
    if (done || now >= give_up) return;
  }
}

int sandbox::loop::wait_ms() const {
  auto next = clock::time_point::max();
  for (const auto& [id, r] : runs_) next = std::min({next, r->deadline, r->next_look});
  if (!leaving_.empty()) next = std::min(next, clock::now() + look_every);
  if (next == clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void sandbox::loop::take_orders() {
  std::vector<run_ptr> starting;
  std::vector<std::uint64_t> cancelled;
  bool stopping = false;
  {
    std::lock_guard hold(mutex_);
    starting.swap(starting_);
    cancelled.swap(cancelled_);
    stopping = stopping_;
  }
  for (auto& r : starting) begin(std::move(r));
  for (const auto id : cancelled)
    if (const auto at = runs_.find(id); at != runs_.end())
      at->second->deadline = std::min(at->second->deadline, clock::now());
  if (!stopping) return;
  for (const auto& [id, r] : runs_)
    if (!r->killed) kill(*r, reason::timeout, "the server is stopping");
}

void sandbox::loop::begin(run_ptr started) {
  run& r = *started;
  runs_.emplace(r.id, std::move(started));
  if (!r.command.work.empty())
    r.disk_before = measure_folder(r.command.work, options_.entries_max).bytes;
  auto spawned = r.end.why == reason::refused ? result<void>() : spawn(r);
  if (!spawned) {
    r.end.why = reason::refused;
    r.end.busy = spawned.error().code == codes::server_busy;
    r.end.detail = spawned.error().detail;
  }
  if (r.end.why == reason::refused) {
    r.reaped = true;
    return finish_if_done(r);
  }
  const auto now = clock::now();
  if (const auto ms = r.command.limits.timeout_ms; ms > 0)
    r.deadline = now + std::chrono::milliseconds(ms);
  r.next_look = now + look_every;
}

result<void> sandbox::loop::spawn(run& r) {
  const auto& limits = r.command.limits;
  const auto busy = [] { return error{codes::server_busy, "no descriptors or memory are left"}; };
  auto output = make_pipe(), errors = make_pipe();
  const auto filter = file_in_memory(r.command.loopback ? loopback_filter_ : filter_);
  descriptor input(r.command.input_fd >= 0 ? std::exchange(r.command.input_fd, -1)
                                           : file_in_memory(r.command.input).release());
  if (!output.reading || !errors.reading || !filter || !input) return busy();
  std::vector<descriptor> held;
  sandbox_view view;
  view.seccomp_fd = filter.get();
  view.limit_processes = !groups_.bounds_processes();
  child_plan plan;
  plan.inherited = r.command.inherited;
  plan.inherited.push_back(filter.get());
  for (const auto& file : r.command.files) {
    held.push_back(file_in_memory(file.bytes));
    if (!held.back()) return busy();
    view.files.push_back({held.back().get(), file.path});
    plan.inherited.push_back(held.back().get());
  }
  if (groups_.bounds_memory() || groups_.bounds_processes()) {
    // bubblewrap itself and its init stand in the group too.
    r.group = groups_.make(std::to_string(getpid()) + "-" + std::to_string(r.id),
                           {limits.memory_bytes, limits.processes + 2});
    if (!r.group) return busy();
    plan.cgroup_entrances = r.group->entrances();
  }
  plan.program = options_.bubblewrap;
  plan.argv = bubblewrap_arguments(r.command, view);
  plan.environment = sandbox_environment(r.command);
  plan.input = input.get();
  plan.output = output.writing.get();
  plan.errors = errors.writing.get();
  plan.cpu_s = limits.cpu_s;
  plan.open_files = limits.open_files;
  plan.data_bytes = limits.memory_bytes;
  plan.file_bytes = limits.disk_bytes;
  auto started = start_child(plan);
  if (!started) return started.error();
  r.process = *started;
  for (const int fd : {output.reading.get(), errors.reading.get()}) fcntl(fd, F_SETFL, O_NONBLOCK);
  r.output.fd = output.reading.release();
  r.errors.fd = errors.reading.release();
  watch(r.output.fd, token(r.id, its_output));
  watch(r.errors.fd, token(r.id, its_errors));
  watch(r.process.pidfd, token(r.id, its_end));
  r.command.input.clear();
  r.command.files.clear();
  return {};
}

void sandbox::loop::on_ready(std::uint64_t of) {
  if (of == wake_token) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = read(wake_, &count, sizeof count);
    return;
  }
  const auto at = runs_.find(of / 4);
  if (at == runs_.end()) return;
  run& r = *at->second;
  switch (of % 4) {
    case its_output: on_readable(r, r.output); break;
    case its_errors: on_readable(r, r.errors); break;
    case its_end: on_ended(r); break;
  }
  finish_if_done(r);
}

void sandbox::loop::on_readable(run& r, stream& from) {
  if (from.fd < 0) return;
  static thread_local std::array<char, read_bytes> bytes;
  const auto n = read(from.fd, bytes.data(), bytes.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return unwatch(from.fd);
  const auto got = static_cast<std::uint64_t>(n);
  const auto room =
      r.command.limits.output_bytes - std::min(r.command.limits.output_bytes, from.seen);
  const auto kept = std::min(got, room);
  from.seen += got;
  if (kept > 0 && r.callbacks.on_output)
    call(*r.gate, [&] {
      r.callbacks.on_output(&from == &r.errors, {bytes.data(), static_cast<std::size_t>(kept)});
    });
  if (kept == got) return;
  r.end.truncated = true;
  r.dropped += got - kept;
  if (r.dropped > r.command.limits.dropped_bytes)
    kill(r, reason::output, "it wrote without an end");
}

void sandbox::loop::on_ended(run& r) {
  if (r.reaped) return;
  siginfo_t info{};
  if (waitid(P_PIDFD, static_cast<id_t>(r.process.pidfd), &info, WEXITED | WNOHANG) != 0 ||
      info.si_pid == 0)
    return;
  r.reaped = true;
  r.end.exit_code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
  unwatch(r.process.pidfd);
  r.deadline = r.next_look = clock::time_point::max();
}

void sandbox::loop::on_time(run& r, clock::time_point now) {
  if (r.reaped) return;
  if (now >= r.next_look) look(r);
  if (now < r.deadline || r.killed) return;
  if (r.ending) return kill(r, reason::timeout, {});
  r.ending = true;
  r.end.why = reason::timeout;
  r.end.detail =
      "it ran longer than " + std::to_string(r.command.limits.timeout_ms) + " milliseconds";
  r.deadline = now + std::chrono::milliseconds(r.command.limits.grace_ms);
  ask_to_end(r.process.pid);
}

void sandbox::loop::look(run& r) {
  const auto& limits = r.command.limits;
  const auto begun = clock::now();
  if (limits.cpu_s > 0 && r.group && r.group->cpu_ms().value_or(0) > limits.cpu_s * 1000ull)
    kill(r, reason::cpu,
         "it used more than " + std::to_string(limits.cpu_s) + " seconds of processor time");
  if (!r.command.work.empty()) {
    const auto now = measure_folder(r.command.work, options_.entries_max);
    if (now.bytes > r.disk_before + limits.disk_bytes)
      kill(r, reason::disk,
           "it wrote more than " + std::to_string(limits.disk_bytes) + " bytes to its folder");
    else if (now.entries > options_.entries_max)
      kill(r, reason::disk,
           "its folder has more than " + std::to_string(options_.entries_max) + " entries");
  }
  const auto end = clock::now();
  r.next_look = end + std::max<clock::duration>(look_every, look_share * (end - begun));
}

void sandbox::loop::kill(run& r, reason why, std::string detail) {
  if (r.killed) return;
  r.killed = true;
  r.next_look = clock::time_point::max();
  r.deadline = clock::time_point::max();
  if (!r.ending) {
    r.end.why = why;
    r.end.detail = std::move(detail);
  }
  if (!r.reaped) kill_inside(r.process);
}

void sandbox::loop::finish_if_done(run& r) {
  if (!r.reaped || r.output.fd >= 0 || r.errors.fd >= 0) return;
  if (r.group) {
    if (r.end.why == reason::exited && r.end.exit_code != 0 && r.group->out_of_memory()) {
      r.end.why = reason::memory;
      r.end.detail =
          "it used more than " + std::to_string(r.command.limits.memory_bytes) + " bytes of memory";
    }
    leaving_.push_back(std::move(*r.group));  // after the callback: removing takes its time
  }
  auto node = runs_.extract(r.id);
  if (r.command.input_fd >= 0) close(r.command.input_fd);
  {
    std::lock_guard hold(mutex_);
    --admitted_;
    if (const auto of = admitted_of_.find(r.command.owner); --of->second == 0)
      admitted_of_.erase(of);
  }
  call(*r.gate, [&] {
    r.gate->open = false;
    if (r.callbacks.on_end) r.callbacks.on_end(std::move(r.end));
  });
}

}  // namespace soma::tools
