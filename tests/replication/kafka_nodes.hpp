// Nodes in one process over a real broker (SOMA_TEST_KAFKA), with three partitions and quick
// leases.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "kafka_store.hpp"
#include "storage/event_log_contract.hpp"

namespace soma::storage::testing {

using namespace std::chrono_literals;

inline constexpr std::uint32_t partitions = 3;

struct node {
  node(const std::string& name, const std::string& topic, std::optional<std::uint32_t> rank)
      : name(name), topic(topic) {
    open(rank);
  }
  void open(std::optional<std::uint32_t> rank) {
    auto how = host_of(name, topic, partitions);
    how.rank = rank;
    how.rules.lease_ms = 400;
    how.rules.commit_timeout_ms = 3'000;
    how.rules.reclaim_ms = 300;
    auto made = replication::replicated_event_log::open(replica_options(folder / "data"), how, 20s);
    REQUIRE_MESSAGE(made, (made ? std::string() : made.error().detail));
    log = std::move(*made);
  }
  cluster::partition_host& host() { return log->host(); }

  const std::string name, topic;
  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  std::unique_ptr<replication::replicated_event_log> log;
};

template <class Condition>
bool soon(Condition condition, std::chrono::milliseconds at_most = 15s) {
  for (const auto end = std::chrono::steady_clock::now() + at_most; !condition();) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

inline bool owns_all(node& n) {
  for (std::uint32_t p = 0; p < partitions; ++p)
    if (!n.host().look(p).owned_here) return false;
  return true;
}

inline bool as_far(node& a, node& b) {
  for (std::uint32_t p = 0; p < partitions; ++p)
    if (a.host().look(p).next != b.host().look(p).next) return false;
  return true;
}

}  // namespace soma::storage::testing
