// What a node writes: by one producer for all partitions, whose failures are their own.
#include <chrono>
#include <thread>

#include "observability/log.hpp"
#include "replication/replica_host_parts.hpp"

namespace soma::replication {
namespace {

constexpr std::int64_t failures_told_every_ms = 10'000;  // of a partition, in the log

}  // namespace

result<void> replica_host::make_producer() {
  const auto generation = ++generation_;
  kafka::record_producer::options options;
  options.topic = how_.topic;
  options.record_bytes_max = cluster::record_bytes_max;
  options.deliver_within = std::chrono::milliseconds(how_.rules.commit_timeout_ms);
  options.failed = [this, generation](const std::string& why) {
    if (generation != generation_ || ending_) return;
    log(log_level::warn, "cluster.producer_failed", {{"why", why}});
    failed_generation_ = generation;
  };
  options.not_delivered = [this, generation](std::uint32_t partition, std::uint64_t tag,
                                             std::string_view why) {
    if (generation == generation_) not_delivered(partition, tag, why);
  };
  auto made = kafka::record_producer::make(how_.client, std::move(options));
  if (!made) return made.error();
  std::shared_ptr<kafka::record_producer> before;
  {
    const std::lock_guard lock(producer_mutex_);
    before = std::exchange(producer_, std::move(*made));
  }
  // Its end waits for what it is sending, and nobody else does.
  if (before)
    errand([before = std::move(before)]() mutable {
      while (before.use_count() > 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      before.reset();
    });
  return {};
}

// What the one before had under way is void for every partition: each claims anew, with its next
// tick. Whoever writes meanwhile writes under a claim that ends.
void replica_host::remake_producer() {
  if (auto made = make_producer(); !made) {
    log(log_level::error, "cluster.no_producer", {{"why", made.error().detail}});
    failed_generation_ = generation_.load();  // tried again
    return;
  }
  for (const auto& one : parts_) {
    const std::lock_guard lock(one->mutex);
    one->claims_again_from_ms = 0;
    one->failed_tag = one->replica->claims_put() + 1;
  }
}

// On a thread of the producer's, or of who sends. The partition claims anew; others know nothing of
// it.
void replica_host::not_delivered(std::uint32_t partition, std::uint64_t tag, std::string_view why) {
  if (ending_ || partition >= parts_.size()) return;
  auto& of = *parts_[partition];
  auto seen = of.failed_tag.load();
  while (seen < tag + 1)
    if (of.failed_tag.compare_exchange_weak(seen, tag + 1)) {
      const auto now = clocks_now().monotonic_ms;
      if (const auto told = of.failed_told_ms.exchange(now);
          told != 0 && now - told < failures_told_every_ms)
        return;
      return log(log_level::warn, "cluster.not_delivered",
                 {{"partition", partition}, {"why", why}});
    }
}

// Under the partition's lock: its records go out in their order.
void replica_host::take(part& of, cluster::actions& what, told& out) {
  for (auto& answer : what.answers) {
    const auto found = of.asked.find(answer.token);
    if (found == of.asked.end()) continue;
    out.answers.emplace_back(std::move(found->second.then), std::move(answer));
    of.asked.erase(found);
  }
  send(of, what.produce);
}

void replica_host::send(part& of, const std::vector<std::string>& records) {
  if (records.empty()) return;
  std::shared_ptr<kafka::record_producer> producer;
  {
    const std::lock_guard lock(producer_mutex_);
    producer = producer_;
  }
  for (const auto& record : records)
    if (!producer->send(of.number, record, of.replica->claims_put()))
      return;  // what is behind it would be void
}

void replica_host::count_flight(part& of) {
  const auto bytes = of.replica->flight_bytes();
  flight_bytes_ += bytes - of.flight_counted;  // unsigned: it may well be less
  of.flight_counted = bytes;
}

cluster::admission replica_host::submit(std::uint32_t partition, cluster::atom one, answered then) {
  return write(partition, std::move(one),
               [then = std::move(then)](const cluster::append_answer& answer,
                                        const std::optional<error>&) { then(answer); });
}

cluster::admission replica_host::write(std::uint32_t partition, cluster::atom one, written then) {
  if (disk_full_ || flight_bytes_ >= how_.flight_bytes_max) return cluster::admission::full;
  auto& of = *parts_.at(partition);
  const std::lock_guard lock(of.mutex);
  // Its flight would never land; and nothing is written to a log that may be another.
  if (of.gives_up || of.in_doubt) return cluster::admission::not_owner;
  if (of.aside) return cluster::admission::full;
  const auto now = clocks_now();
  const auto token = ++of.last_token;
  cluster::actions out;
  const auto taken = of.replica->submit(now, of.rows, token, std::move(one), out);
  if (taken != cluster::admission::taken) return taken;
  count_flight(of);
  of.asked.emplace(token,
                   waiting{now.monotonic_ms + how_.rules.commit_timeout_ms + how_.rules.lease_ms,
                           std::move(then)});
  send(of, out.produce);
  return taken;
}

}  // namespace soma::replication
