// Which of the records that were taken is begun when, and how far each partition is. Records of one
// order in a partition (a session's) go one after another, others beside each other; one that has
// to be tried again holds up its own order, and no other partition: each may keep so many, so many
// bytes, and half of the places of what is under way. Pure; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace soma::inbound {

struct flow_limits {
  std::size_t begun_max = 64;               // of all partitions
  std::size_t partition_records_max = 128;  // kept, those that are begun included
  std::size_t partition_bytes_max = 4 * 1024 * 1024;
};

class record_flow {
 public:
  explicit record_flow(flow_limits most) : most_(most) {}

  void gained(std::int32_t partition);
  // Those of its records that were not begun: nobody asks for them any more. Those that were are
  // strays: they hold a place until they are settled, and change nothing.
  std::vector<std::uint64_t> lost(std::int32_t partition);
  bool has(std::int32_t partition) const { return partitions_.contains(partition); }
  std::vector<std::int32_t> partitions() const;

  // Whether it was, of the partition as it is now.
  bool has_taken(std::int32_t partition, std::int64_t offset) const;
  // In the order of their offsets; of a partition that is gained. Its number from here on.
  std::uint64_t take(std::int32_t partition, std::int64_t offset, std::string order,
                     std::size_t bytes);
  // Nothing more should be taken of it for now; until `has_room` says so again.
  bool is_full(std::int32_t partition) const;
  bool has_room(std::int32_t partition) const;

  // Not of a stray.
  bool knows(std::uint64_t number) const { return records_.contains(number); }

  // Those that begin now, in turn of the partitions.
  std::vector<std::uint64_t> begin(std::int64_t now_ms);
  // It was begun and is to be tried again, not before `at_ms`. False: it is a stray, and over.
  bool again(std::uint64_t number, std::int64_t at_ms);
  // It was begun and is done with. False: likewise.
  bool settle(std::uint64_t number);

  // All before it is done with; where that moved since it was asked for.
  std::optional<std::int64_t> moved(std::int32_t partition);
  // Likewise, whether it moved or not; none: nothing was taken yet.
  std::optional<std::int64_t> position(std::int32_t partition) const;

  std::size_t begun() const { return begun_; }
  std::size_t kept() const { return records_.size(); }
  // The first that waits for a time; none: no one does.
  std::optional<std::int64_t> next_try_ms() const;

 private:
  struct record {
    std::int32_t partition = 0;
    std::int64_t offset = 0, not_before_ms = 0;
    std::string order;
    std::size_t bytes = 0;
    bool begun = false;
  };
  struct partition_state {
    std::map<std::int64_t, std::uint64_t> records;            // by offset
    std::map<std::string, std::deque<std::uint64_t>> orders;  // the first of each may begin
    std::size_t bytes = 0, begun = 0;
    std::int64_t next = -1, told = -1;  // behind the last that was taken
  };
  std::optional<std::uint64_t> next_of(const partition_state& in, std::int64_t now_ms) const;
  bool end_stray(std::uint64_t number);

  const flow_limits most_;
  std::map<std::uint64_t, record> records_;
  std::map<std::int32_t, partition_state> partitions_;
  std::set<std::uint64_t> strays_;
  std::uint64_t last_ = 0;
  std::size_t begun_ = 0;
  std::int32_t turn_ = -1;  // the partition that was served last
};

}  // namespace soma::inbound
