// Partitions without a log: one map that all nodes of a test share, in which an owner is who
// claimed last. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cluster/partition_host.hpp"

namespace soma::testing {

class fake_log {
 public:
  explicit fake_log(std::uint32_t count) : owners(count), next(count, 100) {}
  std::mutex mutex;
  std::vector<std::string> owners;
  std::vector<cluster::log_offset> next;
  std::vector<std::uint32_t> epochs = std::vector<std::uint32_t>(owners.size());
};

class fake_partitions final : public cluster::partition_host {
 public:
  fake_partitions(std::shared_ptr<fake_log> log, std::string node)
      : log_(std::move(log)), node_(std::move(node)), down_(log_->owners.size()) {}

  std::uint32_t partitions() const override {
    return static_cast<std::uint32_t>(log_->owners.size());
  }

  cluster::partition_view look(std::uint32_t partition) const override {
    const std::lock_guard lock(log_->mutex);
    cluster::partition_view out;
    out.partition = partition;
    out.owner = log_->owners[partition];
    out.epoch = log_->epochs[partition];
    out.owned_here = out.owner == node_;
    out.may_act = out.owned_here && acts;
    if (!follows) return out;
    out.end = log_->next[partition];
    out.next = out.end - behind;
    return out;
  }

  void may_claim(std::uint32_t partition, std::optional<std::uint32_t> rank) override {
    const std::lock_guard lock(log_->mutex);
    auto& owner = log_->owners[partition];
    if (rank != 0u || (!owner.empty() && !(down_[partition] && *down_[partition] == owner))) return;
    owner = node_;
    ++log_->epochs[partition];
  }

  void node_down(const std::string& node) override {
    const std::lock_guard lock(log_->mutex);
    downs.push_back(node);
    for (std::size_t i = 0; i < down_.size(); ++i) down_[i] = node;
  }

  void give_up(std::uint32_t partition, std::string to) override {
    const std::lock_guard lock(log_->mutex);
    if (log_->owners[partition] != node_) return;
    log_->owners[partition] = std::move(to);
    ++log_->epochs[partition];
  }

  cluster::admission submit(std::uint32_t, cluster::atom, answered) override {
    return cluster::admission::not_owner;
  }
  void watch(watcher) override {}

  std::size_t owned() const {
    const std::lock_guard lock(log_->mutex);
    return static_cast<std::size_t>(std::count(log_->owners.begin(), log_->owners.end(), node_));
  }
  std::vector<std::string> told_down() const {
    const std::lock_guard lock(log_->mutex);
    return downs;
  }

  std::atomic<bool> follows{true}, acts{true};
  std::atomic<cluster::log_offset> behind{0};  // records that are not applied here yet

 private:
  const std::shared_ptr<fake_log> log_;
  const std::string node_;
  std::vector<std::optional<std::string>> down_;
  std::vector<std::string> downs;
};

}  // namespace soma::testing
