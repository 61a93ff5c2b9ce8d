// What others ask of the host, and tell it.
#include <chrono>
#include <thread>

#include "core/checksum.hpp"
#include "replication/replica_host_parts.hpp"

namespace soma::replication {

cluster::partition_view replica_host::look(std::uint32_t partition) const {
  const auto& of = *parts_.at(partition);
  const std::lock_guard lock(of.view_mutex);
  of.see_lapse(clocks_now().monotonic_ms);
  return of.view;
}

void replica_host::may_claim(std::uint32_t partition, std::optional<std::uint32_t> rank) {
  const std::lock_guard lock(orders_mutex_);
  orders_.ranks[partition] = rank;
}

void replica_host::node_down(const std::string& node) {
  const std::lock_guard lock(orders_mutex_);
  orders_.down.insert(node);
}

void replica_host::give_up(std::uint32_t partition, std::string to) {
  const std::lock_guard lock(orders_mutex_);
  orders_.give_ups[partition] = std::move(to);
}

void replica_host::take_orders() {
  orders taken;
  {
    const std::lock_guard lock(orders_mutex_);
    std::swap(taken, orders_);
  }
  const auto now = clocks_now();
  for (const auto& node : taken.down)
    for (const auto& one : parts_) {
      const std::lock_guard lock(one->mutex);
      one->replica->node_down(node, now);
    }
  for (const auto& [partition, rank] : taken.ranks) {
    if (partition >= parts_.size()) continue;
    auto& of = *parts_[partition];
    const std::lock_guard lock(of.mutex);
    of.replica->may_claim(rank);
  }
  for (auto& [partition, to] : taken.give_ups) {
    if (partition >= parts_.size()) continue;
    auto& of = *parts_[partition];
    told out;
    {
      const std::lock_guard lock(of.mutex);
      if (!of.replica->owns() || of.gives_up) continue;
      of.gives_up = part::giving_up{std::move(to), now.monotonic_ms};
      look_at(of, out);
    }
    say(of, out);
  }
}

void replica_host::watch(watcher who) {
  const std::lock_guard lock(watcher_mutex_);
  watcher_ = std::move(who);
}

void replica_host::rests(resting asked) {
  const std::lock_guard lock(rests_mutex_);
  rests_ = std::move(asked);
}

void replica_host::on_applied(storage::session_log::applied told) {
  const std::lock_guard lock(told_mutex_);
  applied_ = std::move(told);
}

void replica_host::on_derived(derived told) {
  const std::lock_guard lock(told_mutex_);
  derived_ = std::move(told);
}

const partition_rows& replica_host::facts(std::uint32_t partition) const {
  return parts_.at(partition)->rows;
}

std::uint32_t replica_host::epoch_of(std::uint32_t partition) const {
  return parts_.at(partition)->owned_epoch;
}

std::uint64_t replica_host::digest(std::uint32_t partition) const {
  const auto& of = *parts_.at(partition);
  const std::lock_guard lock(of.mutex);
  const auto& state = of.replica->state();
  return mixed(state.digest, state.outcomes);
}

bool replica_host::settled(std::chrono::milliseconds wait) const {
  const auto until = std::chrono::steady_clock::now() + wait;
  for (;;) {
    bool all = true;
    for (const auto& one : parts_) {
      const std::lock_guard lock(one->view_mutex);
      const auto& view = one->view;
      const bool somebodys = view.owned_here || (!view.owner.empty() && view.owner != how_.node);
      all = all && (view.stopped || (one->verified && one->at_end && somebodys));
    }
    if (all) return true;
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace soma::replication
