// What the host keeps of a partition, and what it has to say of one step. Private to replication.
#pragma once

#include <time.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/time.hpp"
#include "replication/atom_body.hpp"
#include "replication/replica_host.hpp"

namespace soma::replication {

// A record that counted, as it is carried out, and what is to be done behind that. Stays where it
// is made: `write` refers to `body`.
struct replica_host::counted {
  storage::judged_write write;
  atom_body body = tenant_rows();
  cluster::log_offset offset = cluster::nowhere;
  bool documents_wait = false;  // what it brings has no place yet
  std::vector<std::pair<cluster::source_tag, cluster::judgement>> derived;
  cluster::actions then;
};

struct replica_host::part {
  part(storage::replica_store& store, std::uint32_t number) : number(number), rows(store, number) {}

  const std::uint32_t number;
  const partition_rows rows;

  // Of what follows. Held while a record is carried out; by others than the host's thread only in
  // `write`.
  mutable std::mutex mutex;
  std::optional<cluster::partition_replica> replica;
  std::uint64_t last_token = 0;
  std::map<std::uint64_t, waiting> asked;
  std::size_t flight_counted = 0;  // in flight_bytes_
  struct giving_up {
    std::string to;
    std::int64_t since_ms = 0;
  };
  std::optional<giving_up> gives_up;

  // Of the host's thread alone.
  bool halted = false;  // what comes of the log is left alone: its place is read again later
  std::unique_ptr<counted> aside;  // there was no room for it
  std::optional<log_doubt> doubts;
  std::int64_t claims_again_from_ms = 0;

  std::atomic<bool> verified = false;  // that the log is the one that was read before
  std::atomic<bool> in_doubt = false;
  std::atomic<std::uint64_t> failed_tag = 0;  // greatest of a record that was not delivered, + 1
  std::atomic<std::uint32_t> owned_epoch = 0;
  std::atomic<bool> at_end = false;
  std::atomic<std::int64_t> failed_told_ms = 0;  // a row of failures is said once
  bool no_room_told = false;                     // of the host's thread alone

  mutable std::mutex view_mutex;  // of what follows; held for moments, taken last
  mutable cluster::partition_view view;
  std::int64_t acts_until_ms = 0;
  mutable bool lapse_untold = false;  // seen to have ended, and the watcher not told of it
  std::optional<kafka::seen_log> looked;

  // A lease ends by itself, whatever the host's thread waits for. Under view_mutex.
  void see_lapse(std::int64_t now_ms) const {
    if (!view.may_act || now_ms < acts_until_ms) return;
    view.may_act = false;
    lapse_untold = true;
  }
};

struct replica_host::told {
  struct applied_op {
    storage::append_op op;
    event_id last;
  };
  std::vector<applied_op> applied;
  std::vector<std::pair<cluster::source_tag, cluster::judgement>> derived;
  std::vector<std::pair<written, cluster::append_answer>> answers;
  std::optional<error> refused;  // by the store, of the answer that comes with it
  cluster::log_offset refused_at = cluster::nowhere;
  bool news = false;
};

// CLOCK_BOOTTIME counts while the machine is suspended.
inline cluster::clocks clocks_now() {
  timespec at{};
  clock_gettime(CLOCK_BOOTTIME, &at);
  return {at.tv_sec * 1000 + at.tv_nsec / 1'000'000, now_ms()};
}

}  // namespace soma::replication
