#include "replication/document_relay.hpp"

#include <algorithm>
#include <iterator>

#include "core/codes.hpp"
#include "core/may_block.hpp"
#include "core/thread_name.hpp"

namespace soma::replication {
namespace {

// What other nodes' partitions brought is looked for so often; what this node's did, at once.
constexpr std::chrono::milliseconds looked_every{10};
constexpr std::size_t taken_at_once = 256;  // read of one partition; not of their flight
// Turns that nobody waited for.
constexpr std::size_t remembered_max = 4096;

error not_sent(cluster::admission why) {
  if (why == cluster::admission::full)
    return {codes::server_busy, "too much is on its way to the log", 1};
  if (why == cluster::admission::unreadable)
    return {codes::storage_unavailable, "the store cannot be read"};
  return {codes::cluster_not_owner, "another node owns this, or none does just now", 1};
}

}  // namespace

document_relay::document_relay(replica_host& host) : host_(host), looked_at_(host.partitions(), 0) {
  host_.on_derived([this](const cluster::source_tag& tag, const cluster::judgement& judged) {
    had_its_turn(tag, judged);
  });
  thread_ = std::thread([this] { run(); });
}

void document_relay::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stop_, true)) return;
    wake_.notify_all();
  }
  thread_.join();
  host_.on_derived({});
  std::vector<waiter> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(waiting_);
  }
  for (const auto& one : left) one.then(std::nullopt);
}

void document_relay::run() {
  name_this_thread("documents");
  this_thread_may_block();
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, looked_every, [this] { return poked_ || stop_; });
      if (stop_) return;
      poked_ = false;
    }
    (void)send();  // what cannot be now is tried again
    tell_late();
  }
}

// ---- sending ----

result<void> document_relay::send() {
  const std::lock_guard lock(sending_);
  const auto epoch = host_.epoch_of(cluster::documents_partition);
  if (epoch == 0) return not_sent(cluster::admission::not_owner);
  const bool lost = lost_->exchange(false);
  if (lost || epoch != epoch_) {
    so_far_.forget();
    std::fill(looked_at_.begin(), looked_at_.end(), 0);
  }
  epoch_ = epoch;
  so_far_.under(epoch);
  for (std::uint32_t p = 0; p < host_.partitions(); ++p) {
    if (p == cluster::documents_partition) continue;
    const auto noted = host_.facts(p).waits_noted();
    if (noted == looked_at_[p]) continue;
    if (auto sent = send_of(p); !sent) return sent;
    looked_at_[p] = noted;
  }
  all_sent_ = clock::now();
  return {};
}

result<void> document_relay::send_of(std::uint32_t partition) {
  auto before = so_far_.of(host_.facts(cluster::documents_partition), partition);
  if (!before) return before.error();
  for (;;) {
    auto rows = host_.facts(partition).waiting(*before, taken_at_once);
    if (!rows) return rows.error();
    for (auto& [offset, one] : *rows) {
      one.source = cluster::source_tag{partition, offset, *before};
      const auto taken = host_.write(
          cluster::documents_partition, std::move(one),
          [lost = lost_](const cluster::append_answer& a, const std::optional<error>&) {
            using cluster::append_outcome;
            if (a.what == append_outcome::not_written || a.what == append_outcome::unknown ||
                a.judged.why == cluster::reason::source_hole)
              *lost = true;
          });
      if (taken != cluster::admission::taken) return not_sent(taken);
      before = so_far_.send(partition, *before, offset).offset;
    }
    if (rows->size() < taken_at_once) return {};
  }
}

bool document_relay::has_derived_all_within(clock::duration wait) const {
  const auto last = all_sent_.load();
  return last != clock::time_point::min() && clock::now() - last <= wait;
}

// ---- those who wait ----

void document_relay::when_derived(const cluster::source_tag& tag, std::chrono::milliseconds wait,
                                  derived then) {
  std::optional<cluster::judgement> judged;
  const auto still =
      cluster::waits(host_.facts(cluster::documents_partition), tag.partition, tag.offset);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = recent_.find({tag.partition, tag.offset}); found != recent_.end())
      judged = found->second;
    if (!stop_ && !judged && still && *still) {
      waiting_.push_back({tag, clock::now() + wait, std::move(then)});
      poked_ = true;
      wake_.notify_one();
      return;
    }
  }
  then(judged);
}

void document_relay::had_its_turn(const cluster::source_tag& tag,
                                  const cluster::judgement& judged) {
  std::vector<waiter> told;
  {
    const std::lock_guard lock(mutex_);
    const auto its = [&](const waiter& one) {
      return one.tag.partition == tag.partition && one.tag.offset == tag.offset;
    };
    const auto from = std::partition(waiting_.begin(), waiting_.end(), std::not_fn(its));
    told.assign(std::make_move_iterator(from), std::make_move_iterator(waiting_.end()));
    waiting_.erase(from, waiting_.end());
    if (told.empty()) {
      recent_in_order_.emplace_back(tag.partition, tag.offset);
      recent_.insert_or_assign(recent_in_order_.back(), judged);
      if (recent_in_order_.size() > remembered_max) {
        recent_.erase(recent_in_order_.front());
        recent_in_order_.pop_front();
      }
    }
  }
  for (const auto& one : told) one.then(judged);
}

void document_relay::tell_late() {
  const auto now = clock::now();
  std::vector<waiter> told;
  {
    const std::lock_guard lock(mutex_);
    const auto in_time = [&](const waiter& one) { return now < one.until; };
    const auto from = std::partition(waiting_.begin(), waiting_.end(), in_time);
    told.assign(std::make_move_iterator(from), std::make_move_iterator(waiting_.end()));
    waiting_.erase(from, waiting_.end());
  }
  for (const auto& one : told) one.then(std::nullopt);
}

}  // namespace soma::replication
