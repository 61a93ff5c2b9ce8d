// Reads one topic as a member of a group: which partitions are its own, and from where they are
// read, the group says, and it keeps what `store` says for whoever reads on. What was taken and not
// stored comes again.
//
// Threads: one. Lifetime: views of a record live until the taker returns.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kafka/client.hpp"
#include "kafka/record_headers.hpp"

namespace soma::kafka {

struct group_record {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t at_ms = 0;  // as the record says; 0: it does not
  std::optional<std::string_view> key, value;
  std::vector<header_view> headers;
};

class group_consumer {
 public:
  struct options {
    std::string topic, group;
    // By which a member that comes again is known, so that it has its partitions back at once, and
    // no other may have; empty: it comes as a new one.
    std::string member;
    std::size_t record_bytes_max = 0;
    // Within `poll` and the end. What is lost may be another's by now: nothing is stored for it.
    std::function<void(std::int32_t partition)> gained, lost;
  };
  static result<std::unique_ptr<group_consumer>> make(const client_settings& settings, options how);
  // Tells the group how far this member is, within some seconds.
  ~group_consumer();

  // Waits up to `wait` for the first, then takes what is there, at most `most`; how many came.
  // To be called at least each minute, or the group holds the member for dead.
  using taker = std::function<void(const group_record&)>;
  std::size_t poll(std::chrono::milliseconds wait, std::size_t most, const taker& take);

  // A partition that is held back gives no records, and stays the member's.
  void hold_back(std::int32_t partition, bool wanted);

  // All before `next` is done with. Told to the group some times a second, and at the end.
  void store(std::int32_t partition, std::int64_t next);

  // Behind the last record, as the brokers last told; -1: not yet. Never blocks.
  std::int64_t known_end(std::int32_t partition) const;

  // Why nothing comes, as far as it is known; empty: it does. `look` asks the brokers again where
  // something was wrong, and waits for them up to `wait`.
  std::string trouble() const;
  void look(std::chrono::milliseconds wait);
  // Of no use any more: another has its name, or it was shut out. `trouble` says it.
  bool has_failed() const;

 private:
  explicit group_consumer(options how) : how_(std::move(how)) {}
  static void on_rebalance(void* opaque, rd_kafka_s* client, int code,
                           rd_kafka_topic_partition_list_s* partitions);
  void set_trouble(std::string why, bool for_good);

  const options how_;
  client_handle client_;
  topic_handle topic_;
  mutable std::mutex mutex_;  // of what follows: librdkafka's threads tell, too
  std::string trouble_;
  bool failed_ = false;
};

}  // namespace soma::kafka
