// Tells SomaBrain what was said of answers, by /context/feedback. The newest answers 422 to every
// body: that, as a route that is not there, means that it takes none. It is kept as a document, so
// that no rating asks again for a day; ratings stay here, and none of them is a dead letter for it.
//
// Thread-safe; blocks, with a deadline. Lifetime: what it needs outlives it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/may_block.hpp"
#include "memory/rating.hpp"
#include "memory/somabrain.hpp"
#include "outbox/sink.hpp"
#include "storage/event_log.hpp"

namespace soma::memory {

enum class feedback_support : std::uint8_t { unknown, taken, not_taken };
std::string_view to_string(feedback_support of);

// Strings have at most 1,024 characters there, `metadata` 8 KiB.
std::string rating_body(const rating& of, const rated_turn& turn);

class somabrain_feedback {
 public:
  static constexpr std::int64_t ask_again_ms = 24ll * 3600 * 1000;

  // `url`: whose word counts; of another nothing is known.
  somabrain_feedback(storage::event_log& log, somabrain& to, std::string_view url,
                     std::int64_t deadline_ms, std::function<std::int64_t()> now_ms);

  // Of one tenant; `rows` of the attempt are as many as the ratings. All within one deadline; what
  // is behind a failure is not tried.
  outbox::attempt send(const std::vector<rating>& ratings);

  feedback_support support() const { return support_.load(std::memory_order_relaxed); }

 private:
  bool is_asked() const;
  void learn(feedback_support what);

  storage::event_log& log_;
  somabrain& to_;
  const std::string url_;
  const std::int64_t deadline_ms_;
  const std::function<std::int64_t()> now_ms_;
  disk_mutex learning_;
  std::atomic<feedback_support> support_{feedback_support::unknown};
  std::atomic<std::int64_t> learned_ms_{0};
};

}  // namespace soma::memory
