// The partitions that a node holds, as its other parts see them: who owns which, what may be read
// here, and the one way in for a write. Implemented by what runs the replicas over Kafka; asked by
// membership, by the doors, and by whatever has to know where a session lives.
//
// Threads: all members are thread-safe and never block. Callbacks come on a thread of the host and
// must not block; none comes after the host is gone.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cluster/partition_replica.hpp"

namespace soma::cluster {

struct partition_view {
  std::uint32_t partition = 0;
  std::string owner;        // node id of the newest counted claim's; empty: nobody's yet
  std::uint32_t epoch = 0;  // of that claim
  bool released = false;    // and its owner has given it up
  bool owned_here = false;
  bool may_act = false;                // owned here, and its lease holds: effects may begin
  log_offset next = 0;                 // records before it are applied here
  log_offset end = 0;                  // of the log, as last heard
  std::optional<std::string> stopped;  // why nothing is read or written here any more: a sentence
};

class partition_host {
 public:
  virtual ~partition_host() = default;

  virtual std::uint32_t partitions() const = 0;
  virtual partition_view look(std::uint32_t partition) const = 0;

  // As partition_replica's.
  virtual void may_claim(std::uint32_t partition, std::optional<std::uint32_t> rank) = 0;
  virtual void node_down(const std::string& node) = 0;
  // Once its flight has landed and its effects have ended; asked again, it is asked once.
  virtual void give_up(std::uint32_t partition, std::string to) = 0;

  // At the owner. Anything but `taken` is final and calls nobody.
  using answered = std::function<void(append_answer)>;
  virtual admission submit(std::uint32_t partition, atom one, answered then) = 0;

  // Called with every change of owner, release, stop, or leave to act. One watcher a host.
  using watcher = std::function<void(const partition_view&)>;
  virtual void watch(watcher who) = 0;
};

}  // namespace soma::cluster
