// Reads partitions of one topic from places that its holder knows, in order, each to its end and
// on: no group, no stored offsets. A place that the log does not have is a halt with a reason,
// never a jump. Whether what halted passes is not known from one error: brokers that have just
// started deny topics that they hold, and ends of logs that they will know again in a moment.
// `look` asks for what there is.
//
// Threads: all but `look` and `known_end` belong to one thread. Lifetime: bytes given to `poll`'s
// callback live until it returns.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "kafka/client.hpp"

namespace soma::kafka {

struct read_from_log {
  enum class kind : std::uint8_t {
    record,
    at_end,  // all before `offset` was given; told again whenever it is reached again
    denied,  // for now it cannot be read: `why`; it may go on by itself
    halted,  // nothing more is read of the partition until it is begun again: `why`
  };
  kind what = kind::record;
  std::uint32_t partition = 0;
  std::int64_t offset = 0;
  std::string_view bytes;
  std::string_view why;
};

// What brokers say of a partition's log.
struct seen_log {
  enum class answer : std::uint8_t {
    none,    // nobody answers, or the partition has no leader just now
    no_log,  // there is no such topic or partition, or this client may not read it
    its_ends,
  };
  answer what = answer::none;
  std::int64_t first = 0, end = 0;  // the first offset that is kept; the one behind the last

  bool operator==(const seen_log&) const = default;
};

class log_consumer {
 public:
  struct options {
    std::string topic;
    std::size_t record_bytes_max = 0;
  };
  static result<std::unique_ptr<log_consumer>> make(const client_settings& settings, options how);
  ~log_consumer();

  // Reads on from `offset`, wherever it read before; what of that was not given yet is dropped.
  result<void> begin(std::uint32_t partition, std::int64_t offset);
  // Reads nothing of it until it is begun again.
  void halt(std::uint32_t partition);

  // Waits up to `wait` for the first, then takes what is there, at most `most`; how many came.
  using taker = std::function<void(const read_from_log&)>;
  std::size_t poll(std::chrono::milliseconds wait, std::size_t most, const taker& take);

  // Behind the last record, as the brokers last told; 0: not yet. Never blocks.
  std::int64_t known_end(std::uint32_t partition) const;
  // Blocks up to twice `wait`; any thread.
  seen_log look(std::uint32_t partition, std::chrono::milliseconds wait) const;

 private:
  explicit log_consumer(options how) : how_(std::move(how)) {}

  const options how_;
  client_handle client_;
  topic_handle topic_;
  queue_handle queue_;
  std::set<std::uint32_t> begun_;
};

}  // namespace soma::kafka
