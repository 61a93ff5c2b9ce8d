// What is due of memories though nobody asks for it: what is over is deleted, and what was being
// forgotten when the process ended is forgotten.
//
// A thread of its own, from its construction until stop or its end. Thread-safe. Lifetime: what it
// is given outlives it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "memory/knowledge.hpp"
#include "memory/memories.hpp"

namespace soma::memory {

struct upkeep_options {
  std::chrono::milliseconds every{1000};
  std::size_t items_at_once = 100;  // deleted in one synced write
  std::size_t batches_a_round = 20;
  std::function<void(const std::string&)> on_notice{};  // why it could not be done
};

class upkeep {
 public:
  upkeep(memories& kept, knowledge& shelf, upkeep_options how);
  ~upkeep() { stop(); }
  upkeep(const upkeep&) = delete;

  // After the batch it is at.
  void stop();

 private:
  void run();
  result<void> one_round();
  bool stopping() const;

  memories& memories_;
  knowledge& knowledge_;
  const upkeep_options options_;
  bool finished_forgetting_ = false;  // the thread's
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::thread thread_;  // the last
};

}  // namespace soma::memory
