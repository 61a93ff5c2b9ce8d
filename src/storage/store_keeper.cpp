#include "storage/store_keeper.hpp"

#include <utility>
#include "core/thread_name.hpp"

namespace soma::storage {

void store_keeper::begin() {
  thread_ = std::thread([this] {
    name_this_thread("store.keeper");
    run();
  });
}

void store_keeper::end() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
    jobs_.clear();
  }
  wakes_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void store_keeper::ask(clock::time_point due, std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  if (ends_ || jobs_.size() >= jobs_max) return;
  jobs_.emplace(due, std::move(job));
  wakes_.notify_all();
}

void store_keeper::run() {
  std::unique_lock lock(mutex_);
  while (!ends_) {
    if (jobs_.empty()) {
      wakes_.wait(lock);
    } else if (const auto due = jobs_.begin()->first; due > clock::now()) {
      wakes_.wait_until(lock, due);
    } else {
      const auto job = std::move(jobs_.extract(jobs_.begin()).mapped());
      lock.unlock();
      job();
      lock.lock();
    }
  }
}

}  // namespace soma::storage
