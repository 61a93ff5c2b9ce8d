// What the host keeps of a partition, and what it has to say of one step. Private to replication.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/replica_host.hpp"

namespace soma::replication {

struct replica_host::part {
  part(storage::replica_store& store, std::uint32_t number) : number(number), rows(store, number) {}

  const std::uint32_t number;
  const partition_rows rows;

  mutable std::mutex mutex;  // of what follows; held while a record is carried out
  std::optional<cluster::partition_replica> replica;
  std::atomic<bool> verified = false;  // that the log is the one that was read before
  std::uint64_t last_token = 0;
  std::map<std::uint64_t, waiting> asked;
  std::optional<std::string> gives_up_to;
  std::int64_t gives_up_from_ms = 0;

  std::atomic<std::uint32_t> owned_epoch = 0;
  mutable std::mutex view_mutex;
  cluster::partition_view view;
  std::int64_t acts_until_ms = 0;
  std::atomic<bool> at_end = false;
};

struct replica_host::told {
  struct applied_op {
    storage::append_op op;
    event_id last;
  };
  std::vector<applied_op> applied;
  std::vector<std::pair<written, cluster::append_answer>> answers;
  std::optional<error> refused;  // by the store, of the answer that comes with it
  cluster::log_offset refused_at = cluster::nowhere;
  std::optional<cluster::partition_view> news;
  part* wants_producer = nullptr;
  std::vector<std::string> by_new_producer;
};

}  // namespace soma::replication
