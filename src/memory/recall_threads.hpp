// Recall on threads of its own: what waits for the disk in a session's stead, bounded.
//
// Thread-safe. Lifetime: memories outlive it. Its end finishes what was asked for.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "memory/memories.hpp"
#include "memory/recall.hpp"

namespace soma::memory {

class recall_threads final : public recaller {
 public:
  static constexpr std::size_t waiting_max = 256;  // past it server.busy

  explicit recall_threads(const memories& from, std::size_t threads = 2);
  ~recall_threads() override;

  void recall(recall_question question, std::function<void(result<recall_answer>)> done) override;

 private:
  struct asked {
    recall_question question;
    std::function<void(result<recall_answer>)> done;
  };
  void run();

  const memories& memories_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<asked> waiting_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace soma::memory
