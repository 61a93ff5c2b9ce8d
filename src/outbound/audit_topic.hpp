// The audit of this node, copied to the topic `audit.events`: every record of its chain, in its
// order, at least once. How far it is is kept in a file, so that a start goes on there; what was
// sent and not noted is sent again, from there on and in order. While no broker is there records
// wait where they are, in the chain.
//
// Threads: one of its own, which reads the chain's folder and waits for Kafka. Lifetime: the board
// outlives it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/error.hpp"
#include "kafka/record_sender.hpp"
#include "kafka/topics.hpp"
#include "security/audit/audit_follower.hpp"

namespace soma::outbound {

struct audit_topic_state {
  std::string trouble;            // empty: it works
  double waiting = 0, lag_s = 0;  // records that are read and not there yet; how old the first is
  double sent = 0, left_out = 0;  // since the start
};

struct audit_topic_options {
  kafka::client_settings client;
  kafka::log_topic topic;
  std::string folder;      // of the chain
  std::string chain;       // its id
  std::string place_file;  // in a folder of its own or another's
  // Some times a second, on its thread.
  std::function<void(const audit_topic_state&)> show;
};

class audit_topic {
 public:
  static std::unique_ptr<audit_topic> start(audit_topic_options how);
  // Waits up to `at_most` for what was written to be there, and notes how far it is.
  void stop(std::chrono::milliseconds at_most = std::chrono::seconds(2));
  ~audit_topic();

 private:
  struct sent {
    std::uint64_t seq = 0;
    std::int64_t at_ms = 0;  // when it was written
    std::size_t bytes = 0;
    bool is_there = false;
  };
  struct answers;

  explicit audit_topic(audit_topic_options how);
  void run();
  result<void> open();
  void serve();
  bool send_some();
  void settle();
  void begin_anew();
  void note(bool at_once);
  void show(bool at_once);
  void say(std::string trouble);
  void pause(std::chrono::milliseconds so_long);
  std::optional<std::uint64_t> noted() const;

  const audit_topic_options how_;
  std::uint64_t place_ = 0, noted_ = 0;  // the last record that is there; that is noted
  std::int64_t noted_ms_ = 0, shown_ms_ = 0;
  std::optional<security::audit_follower> chain_;
  std::deque<security::audit_follower::record> read_;  // and not sent
  std::deque<sent> under_way_;
  std::size_t bytes_ = 0;  // under way
  std::uint64_t count_ = 0, left_out_ = 0;
  std::string refused_;  // why a record was; nothing behind it is sent then
  std::string trouble_ = "it has not begun yet", told_;
  std::shared_ptr<answers> answers_;
  std::unique_ptr<kafka::record_sender> sender_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::int64_t> stops_at_ms_{0};
  std::thread thread_;
};

}  // namespace soma::outbound
