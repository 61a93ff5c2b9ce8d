// Writes records to the partitions of one topic, in their order in each: idempotent, acknowledged
// by all copies in sync. What becomes of a record is not told, since its reading tells; that one
// could not be delivered is, once: then this producer is of no use any more, what it was given may
// be in the log or not, and whoever holds it makes another.
//
// Thread-safe; `send` never blocks. The end drops what waits, and waits for what is being sent to
// be given up.
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
    std::function<void(std::string why)> failed;  // once, on any thread; must not end the producer
  };
  static result<std::unique_ptr<record_producer>> make(const client_settings& settings,
                                                       options how);
  ~record_producer();

  // False: it has failed, and the record is not sent.
  bool send(std::uint32_t partition, std::string_view bytes);

 private:
  explicit record_producer(options how) : how_(std::move(how)) {}
  void fail(const char* why);

  const options how_;
  std::atomic<bool> failed_ = false, ending_ = false;
  client_handle client_;
  topic_handle topic_;
  std::thread reports_;
};

}  // namespace soma::kafka
