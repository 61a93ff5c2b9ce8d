// Reads partitions of one topic from places that its holder knows, in order, each to its end and
// on: no group, no stored offsets. A place that the log does not have is an end with a reason,
// never a jump.
//
// Threads: `poll` and `begin` belong to one thread. Lifetime: bytes given to `poll`'s callback live
// until it returns.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kafka/client.hpp"

namespace soma::kafka {

struct read_from_log {
  enum class kind : std::uint8_t {
    record,
    at_end,  // all before `offset` was given; told again whenever it is reached again
    lost,    // nothing more is read of the partition: `why`
  };
  kind what = kind::record;
  std::uint32_t partition = 0;
  std::int64_t offset = 0;
  std::string_view bytes;
  std::string_view why;
};

class log_consumer {
 public:
  struct options {
    std::string topic;
    std::size_t record_bytes_max = 0;
  };
  static result<std::unique_ptr<log_consumer>> make(const client_settings& settings, options how);
  ~log_consumer();

  // Reads on from `offset`. Once a partition.
  result<void> begin(std::uint32_t partition, std::int64_t offset);

  // Waits up to `wait` for the first, then takes what is there, at most `most`; how many came.
  using taker = std::function<void(const read_from_log&)>;
  std::size_t poll(std::chrono::milliseconds wait, std::size_t most, const taker& take);

  // Behind the last record, as the brokers last told; 0: not yet. Never blocks.
  std::int64_t known_end(std::uint32_t partition) const;
  // First offset that is kept, and the one behind the last. Blocks up to `wait`; any thread.
  result<std::pair<std::int64_t, std::int64_t>> bounds(std::uint32_t partition,
                                                       std::chrono::milliseconds wait) const;

 private:
  explicit log_consumer(options how) : how_(std::move(how)) {}

  const options how_;
  client_handle client_;
  topic_handle topic_;
  queue_handle queue_;
  std::vector<std::uint32_t> begun_;
};

}  // namespace soma::kafka
