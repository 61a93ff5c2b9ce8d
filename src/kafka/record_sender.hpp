// Writes records with a key and headers to one topic, and says of each what became of it:
// idempotent, acknowledged by all copies in sync. Unlike record_producer.hpp, one that could not be
// delivered ends nothing: whoever sent it sends it again, and it may be there twice then.
//
// Thread-safe; `send` never blocks. Lifetime: nothing is told any more once the end returns; what
// was sent and not settled by then may be there or not.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "kafka/client.hpp"

namespace soma::kafka {

struct sent_record {
  std::optional<std::string_view> key, value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

class record_sender {
 public:
  struct options {
    std::string topic;
    std::size_t record_bytes_max = 0;  // key, value and headers
    std::size_t waiting_max = 10'000;  // records
    std::chrono::milliseconds deliver_within{10'000};
    // Of each record that `send` took; empty: it is there. On a thread of the sender's.
    std::function<void(std::uint64_t number, std::string_view why)> settled;
  };
  static result<std::unique_ptr<record_sender>> make(const client_settings& settings, options how);
  ~record_sender();

  // `number`: by which it is told of. Records of a key are in one partition, in the order sent,
  // as long as all are delivered. Errors: dependency.unavailable: it was not taken.
  result<void> send(std::uint64_t number, const sent_record& what);

  // Its producer is of no use any more: another one is to be made.
  bool has_failed() const { return failed_; }

 private:
  explicit record_sender(options how) : how_(std::move(how)) {}

  const options how_;
  std::atomic<bool> failed_ = false, ending_ = false;
  client_handle client_;
  topic_handle topic_;
  std::thread reports_;
};

}  // namespace soma::kafka
