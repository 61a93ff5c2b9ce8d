// The outbox relay: threads that take the rows of a sink to it. They are threads of their own, not
// actors, because a sink's call blocks, and one that hangs must hold nobody up.
//
// A row is deleted once its sink has acknowledged it, so after a crash some are sent again. Thread-
// safe. Lifetime: what it needs outlives it. Its end gives up calls under way and waits for them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "outbox/dead_letters.hpp"
#include "outbox/send_plan.hpp"
#include "outbox/sink.hpp"
#include "storage/event_log.hpp"

namespace soma::outbox {

struct relay_figures {
  std::uint64_t depth = 0;           // rows that wait or are on their way; counted up to 100,000
  std::int64_t oldest_since_ms = 0;  // when the first was written; 0: none, or not known yet
  send_plan::breaker breaker = send_plan::breaker::closed;
  std::string trouble;                           // why the last call failed; empty: it did not
  std::uint64_t sent = 0, failed = 0, dead = 0;  // rows, calls, rows; since the start
};

// Of one sink.
class relay {
 public:
  struct needs {
    storage::event_log& log;
    sink& to;
    dead_letters& given_up;
    plan_limits limits;
    // A sentence for an operator, where the sink goes away, comes back or a row is given up.
    std::function<void(const std::string&)> on_notice;
  };
  explicit relay(const needs& from);
  ~relay();
  relay(const relay&) = delete;

  // Rows were committed. Does not block.
  void wake();

  // As it was a moment ago. Does not wait for the disk.
  relay_figures figures() const;

 private:
  struct held {  // of a row that is known
    std::string payload, tenant, session;
  };
  void run();
  bool read_rows(std::unique_lock<std::mutex>& lock);
  void send(std::unique_lock<std::mutex>& lock, const send_plan::batch& what);
  bool keep(const std::vector<send_plan::dead_row>& dead, const std::vector<held>& rows);
  bool delete_rows(const std::vector<std::uint64_t>& numbers);
  void look(std::unique_lock<std::mutex>& lock);
  bool pause(std::unique_lock<std::mutex>& lock, std::int64_t ms);

  const needs from_;
  const std::string name_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false, told_ = true;
  bool reading_ = false, looking_ = false, more_ = true;  // in the store, behind scanned_
  bool was_away_ = false;
  std::uint64_t scanned_ = 0;
  send_plan plan_;
  std::map<std::uint64_t, held> held_;
  std::vector<std::uint64_t> undeleted_;
  std::minstd_rand chance_{std::random_device{}()};
  std::uint64_t beyond_ = 0, sent_ = 0, failed_ = 0, dead_ = 0;
  std::uint64_t oldest_ = 0;  // number of the row whose time is known
  std::int64_t oldest_since_ms_ = 0, looked_at_ms_ = 0;

  std::vector<std::thread> threads_;  // the last
};

}  // namespace soma::outbox
