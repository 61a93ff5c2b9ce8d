#include "tools/sandbox/sandbox.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <future>

#include "tools/sandbox/loop.hpp"
#include "tools/sandbox/seccomp_filter.hpp"

namespace soma::tools {
namespace {

class handle : public sandbox_run {
 public:
  handle(std::shared_ptr<run_gate> gate, std::function<void()> cancel)
      : gate_(std::move(gate)), cancel_(std::move(cancel)) {}
  ~handle() override {
    {
      std::lock_guard hold(gate_->mutex);
      if (!gate_->open) return;  // it has ended
      gate_->open = false;
    }
    cancel_();
  }

 private:
  std::shared_ptr<run_gate> gate_;
  std::function<void()> cancel_;
};

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

sandbox::loop::loop(sandbox_options options) : options_(std::move(options)) {
  if (access(options_.bubblewrap.c_str(), X_OK) != 0) {
    unavailable_ = "bubblewrap is not installed (" + options_.bubblewrap + ")";
    return;
  }
  for (const bool ip_sockets : {false, true}) {
    auto filter = make_seccomp_filter(ip_sockets);
    if (!filter) {
      unavailable_ = filter.error().detail;
      return;
    }
    (ip_sockets ? loopback_filter_ : filter_) = std::move(*filter);
  }
  if (options_.cgroups) groups_ = cgroup_tree::find(options_.cgroup);
  groups_.sweep();
  // The kernel sets root no limit of processes: only a control group can.
  if (geteuid() == 0 && !groups_.bounds_processes()) {
    unavailable_ =
        "the server runs as root on a machine where it cannot make control groups, so that the "
        "number of processes cannot be limited; run it as an ordinary user";
    return;
  }
  confinement_ = std::string("memory is bounded ") +
                 (groups_.bounds_memory() ? "a run" : "a process") + ", processes by " +
                 (groups_.bounds_processes() ? "a control group" : "a resource limit");
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || wake_ < 0) {
    unavailable_ = "no file descriptors are left";
    return;
  }
  thread_ = std::thread([this] { work(); });
}

void sandbox::loop::end() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard hold(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
}

sandbox::loop::~loop() {
  if (epoll_ >= 0) close(epoll_);
  if (wake_ >= 0) close(wake_);
}

void sandbox::loop::try_out() {
  if (!unavailable_.empty()) return;
  sandbox_command trial;
  trial.argv = {"/usr/bin/true"};
  trial.limits.timeout_ms = 5'000;
  auto said = std::make_shared<std::string>();
  auto ended = std::make_shared<std::promise<sandbox_end>>();
  auto end = ended->get_future();
  const auto run = start(std::move(trial),
                         {[said](bool, std::string_view bytes) { said->append(bytes); },
                          [ended](sandbox_end e) { ended->set_value(std::move(e)); }},
                         nullptr);
  const auto how = end.get();
  if (how.why == sandbox_end::reason::exited && how.exit_code == 0) return;
  const auto& why = said->empty() ? how.detail : *said;
  unavailable_ = "bubblewrap cannot make a sandbox on this machine: " +
                 (why.empty() ? "it ended with " + std::to_string(how.exit_code) : first_line(why));
}

std::unique_ptr<sandbox_run> sandbox::loop::start(sandbox_command command,
                                                  sandbox_callbacks callbacks,
                                                  const std::shared_ptr<loop>& self) {
  auto r = std::make_unique<run>();
  r->command = std::move(command);
  r->callbacks = std::move(callbacks);
  r->gate = std::make_shared<run_gate>();
  auto gate = r->gate;
  std::uint64_t id = 0;
  {
    std::lock_guard hold(mutex_);
    r->id = id = ++last_id_;
    const auto share = options_.runs_max - options_.runs_max / 4;
    const bool too_many = ++admitted_of_[r->command.owner] > share && !r->command.owner.empty();
    if (++admitted_ > options_.runs_max || too_many || stopping_) {
      r->end.why = reason::refused;
      r->end.busy = true;
      r->end.detail = "all sandboxes of this server are in use";
    }
    starting_.push_back(std::move(r));
  }
  wake();
  return std::make_unique<handle>(std::move(gate), [weak = std::weak_ptr<loop>(self), id] {
    if (const auto loop = weak.lock()) loop->cancel(id);
  });
}

sandbox::sandbox(sandbox_options options) : loop_(std::make_shared<loop>(std::move(options))) {
  loop_->try_out();
}
sandbox::~sandbox() {
  loop_->end();
}

const std::string& sandbox::unavailable() const {
  return loop_->unavailable();
}
const std::string& sandbox::confinement() const {
  return loop_->confinement();
}

std::unique_ptr<sandbox_run> sandbox::start(sandbox_command command, sandbox_callbacks callbacks) {
  if (!unavailable().empty()) {
    if (command.input_fd >= 0) close(command.input_fd);
    sandbox_end end;
    end.why = sandbox_end::reason::refused;
    end.detail = unavailable();
    if (callbacks.on_end) callbacks.on_end(std::move(end));
    return std::make_unique<sandbox_run>();
  }
  return loop_->start(std::move(command), std::move(callbacks), loop_);
}

}  // namespace soma::tools
