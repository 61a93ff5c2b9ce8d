// Writes records to the partitions of one topic, in their order in each: idempotent, acknowledged
// by all copies in sync. What becomes of a record is not told, since its reading tells. That one
// could not be delivered is: it may be in the log or not, and so may what was sent to its partition
// since; other partitions know nothing of it. That the producer has failed is told once: then it
// is of no use any more, and whoever holds it makes another.
//
// Thread-safe; `send` never blocks. The end drops what waits, and waits for what is being sent to
// be given up, which may take seconds.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "kafka/client.hpp"

namespace soma::kafka {

class record_producer {
 public:
  struct options {
    std::string topic;
    std::size_t record_bytes_max = 0;
    std::chrono::milliseconds deliver_within{10'000};
    // On any thread; they must not end the producer, nor wait.
    std::function<void(const std::string& why)> failed;  // once
    std::function<void(std::uint32_t partition, std::uint64_t tag, std::string_view why)>
        not_delivered;  // for each
  };
  static result<std::unique_ptr<record_producer>> make(const client_settings& settings,
                                                       options how);
  ~record_producer();

  // False: it was not taken, which is told as if it could not be delivered, on this thread, or the
  // producer has failed. `tag`: what it is told with.
  bool send(std::uint32_t partition, std::string_view bytes, std::uint64_t tag = 0);

 private:
  explicit record_producer(options how) : how_(std::move(how)) {}
  void fail(const char* why);
  void not_delivered(std::int32_t partition, std::uint64_t tag, const char* why);

  const options how_;
  std::atomic<bool> failed_ = false, ending_ = false;
  client_handle client_;
  topic_handle topic_;
  std::thread reports_;
};

}  // namespace soma::kafka
