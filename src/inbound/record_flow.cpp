#include "inbound/record_flow.hpp"

#include <algorithm>
#include <utility>

namespace soma::inbound {

void record_flow::gained(std::int32_t partition) {
  partitions_.try_emplace(partition);
}

std::vector<std::uint64_t> record_flow::lost(std::int32_t partition) {
  std::vector<std::uint64_t> left;
  const auto at = partitions_.find(partition);
  if (at == partitions_.end()) return left;
  for (const auto& [offset, number] : at->second.records) {
    if (records_.at(number).begun)
      strays_.insert(number);
    else
      left.push_back(number);
    records_.erase(number);
  }
  partitions_.erase(at);
  return left;
}

std::vector<std::int32_t> record_flow::partitions() const {
  std::vector<std::int32_t> all;
  for (const auto& [partition, state] : partitions_) all.push_back(partition);
  return all;
}

bool record_flow::has_taken(std::int32_t partition, std::int64_t offset) const {
  const auto at = partitions_.find(partition);
  return at != partitions_.end() && offset < at->second.next;
}

std::uint64_t record_flow::take(std::int32_t partition, std::int64_t offset, std::string order,
                                std::size_t bytes) {
  auto& in = partitions_.at(partition);
  const auto number = ++last_;
  if (!order.empty()) in.orders[order].push_back(number);
  in.records.emplace(offset, number);
  in.bytes += bytes;
  in.next = offset + 1;
  records_.emplace(number, record{partition, offset, 0, std::move(order), bytes, false});
  return number;
}

bool record_flow::is_full(std::int32_t partition) const {
  const auto at = partitions_.find(partition);
  return at != partitions_.end() && (at->second.records.size() >= most_.partition_records_max ||
                                     at->second.bytes >= most_.partition_bytes_max);
}

bool record_flow::has_room(std::int32_t partition) const {
  const auto at = partitions_.find(partition);
  return at == partitions_.end() || (at->second.records.size() <= most_.partition_records_max / 2 &&
                                     at->second.bytes <= most_.partition_bytes_max / 2);
}

std::optional<std::uint64_t> record_flow::next_of(const partition_state& in,
                                                  std::int64_t now_ms) const {
  if (in.begun >= std::max<std::size_t>(most_.begun_max / 2, 1)) return std::nullopt;
  for (const auto& [offset, number] : in.records) {
    const auto& one = records_.at(number);
    if (one.begun || one.not_before_ms > now_ms) continue;
    if (one.order.empty() || in.orders.at(one.order).front() == number) return number;
  }
  return std::nullopt;
}

std::vector<std::uint64_t> record_flow::begin(std::int64_t now_ms) {
  std::vector<std::uint64_t> out;
  if (partitions_.empty()) return out;
  std::size_t idle = 0;  // partitions in a row that had none
  while (begun_ < most_.begun_max && idle < partitions_.size()) {
    auto at = partitions_.upper_bound(turn_);
    if (at == partitions_.end()) at = partitions_.begin();
    turn_ = at->first;
    const auto number = next_of(at->second, now_ms);
    if (!number) {
      ++idle;
      continue;
    }
    idle = 0;
    records_.at(*number).begun = true;
    ++at->second.begun;
    ++begun_;
    out.push_back(*number);
  }
  return out;
}

bool record_flow::end_stray(std::uint64_t number) {
  if (strays_.erase(number) == 0) return false;
  --begun_;
  return true;
}

bool record_flow::again(std::uint64_t number, std::int64_t at_ms) {
  if (end_stray(number)) return false;
  auto& one = records_.at(number);
  one.begun = false;
  one.not_before_ms = at_ms;
  --partitions_.at(one.partition).begun;
  --begun_;
  return true;
}

bool record_flow::settle(std::uint64_t number) {
  if (end_stray(number)) return false;
  const auto at = records_.find(number);
  auto& in = partitions_.at(at->second.partition);
  in.records.erase(at->second.offset);
  in.bytes -= at->second.bytes;
  --in.begun;
  --begun_;
  if (const auto order = in.orders.find(at->second.order); order != in.orders.end()) {
    order->second.pop_front();
    if (order->second.empty()) in.orders.erase(order);
  }
  records_.erase(at);
  return true;
}

std::optional<std::int64_t> record_flow::position(std::int32_t partition) const {
  const auto at = partitions_.find(partition);
  if (at == partitions_.end() || at->second.next < 0) return std::nullopt;
  const auto& in = at->second;
  return in.records.empty() ? in.next : in.records.begin()->first;
}

std::optional<std::int64_t> record_flow::moved(std::int32_t partition) {
  const auto now = position(partition);
  if (!now) return std::nullopt;
  auto& told = partitions_.at(partition).told;
  if (*now == told) return std::nullopt;
  told = *now;
  return now;
}

std::optional<std::int64_t> record_flow::next_try_ms() const {
  std::optional<std::int64_t> soonest;
  for (const auto& [number, one] : records_)
    if (!one.begun && one.not_before_ms > 0)
      soonest = std::min(soonest.value_or(one.not_before_ms), one.not_before_ms);
  return soonest;
}

}  // namespace soma::inbound
