// Recall on threads of its own: what waits for the disk in a session's stead, bounded. Tenants by
// turns, and none of them on all threads: a turn waits for its recall for a moment only, which what
// others ask must not take. What has waited for longer than that is not done at all.
//
// Thread-safe. Lifetime: memories outlive it. Its end finishes what was asked for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "memory/memories.hpp"
#include "memory/recall.hpp"

namespace soma::memory {

class recall_threads final : public recaller {
 public:
  static constexpr std::size_t waiting_max = 256;  // past it server.busy; of one tenant half of it

  explicit recall_threads(const memories& from, std::size_t threads = 3);
  ~recall_threads() override;

  void recall(recall_question question, std::function<void(result<recall_answer>)> done) override;

 private:
  struct asked {
    recall_question question;
    std::function<void(result<recall_answer>)> done;
    std::chrono::steady_clock::time_point until;  // nobody waits for it any more
  };
  struct tenant_line {
    std::deque<asked> waiting;
    std::size_t running = 0;
  };
  void run();
  std::optional<asked> next();  // of the tenant whose turn it is
  void answer(const asked& one) const;

  const memories& memories_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<tenant_id, tenant_line> lines_;  // of those of whom something waits or runs
  std::deque<tenant_id> turns_;             // of those of whom something waits
  std::size_t waiting_ = 0;
  const std::size_t at_once_;  // of one tenant
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace soma::memory
