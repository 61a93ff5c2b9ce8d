#include "tools/mcp/loop.hpp"

#include <curl/curl.h>
#include <poll.h>

#include <algorithm>
#include <vector>
#include "core/thread_name.hpp"

namespace soma::tools::mcp {
namespace {

// Connections kept open between calls, over all servers.
constexpr long connections_kept_max = 64;
constexpr int idle_wait_ms = 60'000;

}  // namespace

loop::loop() {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi_ = curl_multi_init();
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections_kept_max);
  thread_ = std::thread([this] {
    name_this_thread("mcp");
    run();
  });
}

loop::~loop() {
  stop();
  curl_multi_cleanup(multi_);
}

void loop::stop() {
  {
    std::lock_guard hold(mutex_);
    stopping_ = true;
  }
  curl_multi_wakeup(multi_);
  if (thread_.joinable()) thread_.join();
}

void loop::post(std::function<void()> job) {
  {
    std::lock_guard hold(mutex_);
    if (stopping_) return;
    jobs_.push_back(std::move(job));
  }
  curl_multi_wakeup(multi_);
}

std::uint64_t loop::after(std::chrono::milliseconds wait, std::function<void()> what) {
  const auto id = ++last_timer_;
  order_.emplace(clock::now() + wait, id);
  timers_.emplace(id, std::move(what));
  return id;
}

void loop::cancel(std::uint64_t timer) {
  timers_.erase(timer);
}

void loop::add(CURL* transfer, std::function<void(int)> on_end) {
  transfers_.insert_or_assign(transfer, std::move(on_end));
  curl_multi_add_handle(multi_, transfer);
}

void loop::remove(CURL* transfer) {
  if (transfers_.erase(transfer) > 0) curl_multi_remove_handle(multi_, transfer);
}

void loop::watch(int fd, std::function<void()> on_writable) {
  watched_.insert_or_assign(fd, std::move(on_writable));
}

void loop::unwatch(int fd) {
  watched_.erase(fd);
}

void loop::run() {
  while (run_jobs()) {
    run_timers();
    int running = 0;
    curl_multi_perform(multi_, &running);
    take_ended();
    wait();
  }
  timers_.clear();  // what they keep ends on this thread
}

// False once it is to stop and nothing is left to do.
bool loop::run_jobs() {
  std::deque<std::function<void()>> jobs;
  {
    std::lock_guard hold(mutex_);
    if (jobs_.empty() && stopping_) return false;
    jobs.swap(jobs_);
  }
  for (auto& job : jobs) job();
  return true;
}

void loop::run_timers() {
  const auto now = clock::now();
  while (!order_.empty() && order_.begin()->first <= now) {
    const auto id = order_.begin()->second;
    order_.erase(order_.begin());
    auto due = timers_.extract(id);
    if (!due.empty()) due.mapped()();
  }
}

void loop::take_ended() {
  std::vector<std::pair<CURL*, int>> ended;
  int left = 0;
  while (const auto* message = curl_multi_info_read(multi_, &left))
    if (message->msg == CURLMSG_DONE)
      ended.emplace_back(message->easy_handle, static_cast<int>(message->data.result));
  for (const auto& [transfer, code] : ended) {
    auto found = transfers_.extract(transfer);
    if (found.empty()) continue;  // removed by the end of one before
    curl_multi_remove_handle(multi_, transfer);
    found.mapped()(code);
  }
}

int loop::wait_ms() {
  while (!order_.empty() && !timers_.count(order_.begin()->second)) order_.erase(order_.begin());
  if (order_.empty()) return idle_wait_ms;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(order_.begin()->first - clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, idle_wait_ms));
}

void loop::wait() {
  std::vector<curl_waitfd> fds;
  for (const auto& [fd, call] : watched_) fds.push_back({fd, CURL_WAIT_POLLOUT, 0});
  {
    std::lock_guard hold(mutex_);
    if (!jobs_.empty() || stopping_) return;
  }
  curl_multi_poll(multi_, fds.data(), static_cast<unsigned>(fds.size()), wait_ms(), nullptr);
  for (const auto& one : fds) {
    const auto found = one.revents ? watched_.find(one.fd) : watched_.end();
    if (found == watched_.end()) continue;
    const auto call = found->second;
    call();
  }
}

}  // namespace soma::tools::mcp
