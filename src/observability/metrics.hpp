// Metrics for Prometheus. A handle is found once (a lock) and then costs one relaxed atomic add a
// count; a histogram three. Handles stay valid as long as the registry lives. Thread-safe.
//
// Label values must come from a bounded set: routes, codes, names of queues; never an id or a path.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace soma {

class counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  // For what is counted elsewhere: takes the total over, and never goes back.
  void raise_to(std::uint64_t total) noexcept {
    auto now = value();
    while (now < total && !value_.compare_exchange_weak(now, total, std::memory_order_relaxed)) {
    }
  }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class gauge {
 public:
  void add(std::int64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  void set(std::int64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Times in microseconds, exposed in seconds.
class histogram {
 public:
  static constexpr std::uint64_t bounds_us[] = {
      100,     250,     500,     1'000,   2'500,     5'000,     10'000,     25'000,     50'000,
      100'000, 250'000, 500'000, 1000000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};
  static constexpr std::size_t bucket_count = std::size(bounds_us) + 1;

  void observe_us(std::uint64_t us) noexcept {
    std::size_t at = 0;
    while (at + 1 < bucket_count && us > bounds_us[at]) ++at;
    buckets_[at].fetch_add(1, std::memory_order_relaxed);
    sum_us_.fetch_add(us, std::memory_order_relaxed);
  }
  std::uint64_t bucket(std::size_t at) const noexcept {
    return buckets_[at].load(std::memory_order_relaxed);
  }
  std::uint64_t sum_us() const noexcept { return sum_us_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> buckets_[bucket_count]{};
  std::atomic<std::uint64_t> sum_us_{0};
};

using metric_labels = std::vector<std::pair<std::string, std::string>>;

class metrics_registry {
 public:
  metrics_registry();
  ~metrics_registry();
  metrics_registry(const metrics_registry&) = delete;
  metrics_registry& operator=(const metrics_registry&) = delete;

  // The same name and labels give the same handle; a name has one kind and one help text.
  counter& get_counter(std::string_view name, std::string_view help, metric_labels labels = {});
  gauge& get_gauge(std::string_view name, std::string_view help, metric_labels labels = {});
  histogram& get_histogram(std::string_view name, std::string_view help, metric_labels labels = {});

  // The text exposition format, for GET /metrics.
  std::string render() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

// The server's fixed metrics, one place for their names. Lives as long as the registry.
struct server_metrics {
  explicit server_metrics(metrics_registry& registry);

  gauge &connections_open, &streams_open, &sessions_active, &writer_queue_bytes,
      &reader_queue_depth, &asks_in_flight, &writes_waiting;
  gauge &disk_free_bytes, &disk_free_inodes, &store_bytes, &files_open, &files_max, &resident_bytes,
      &audit_waiting, &dead_letters;
  gauge &vectors_waiting, &vectors_lag_seconds, &vectors_set_aside;
  gauge &memory_wal_lag, &memory_replica_lag_seconds;
  counter &connections_refused, &stream_frames, &stream_bytes, &reader_fallbacks;
  counter &append_events, &append_batches, &append_bytes;
  counter& llm_calls;
  counter &sessions_quarantined, &store_full, &store_damaged, &store_unavailable;
  counter &log_lines_dropped, &audit_lost;
  histogram &fsync, &llm_first_token, &recall;

  // A lookup under a lock: keep the handle where it is hot.
  counter& http_requests(std::string_view route, std::string_view method, int status);
  histogram& http_latency(std::string_view route);
  counter& llm_failures(std::string_view code);
  counter& turns(std::string_view outcome);
  counter& recalls(std::string_view outcome);      // found, nothing, degraded
  gauge& vectors_tenants(std::string_view state);  // ready, building, failing
  gauge& outbox_depth(std::string_view sink);
  gauge& outbox_lag_seconds(std::string_view sink);
  counter& outbox_sent(std::string_view sink);
  counter& outbox_failures(std::string_view sink);
  counter& policy_calls(std::string_view source);  // opa, openfga
  counter& policy_failures(std::string_view source);
  counter& policy_denials(std::string_view source);
  counter& policy_cache(std::string_view outcome);  // hit, miss

 private:
  metrics_registry& registry_;
};

// Of a node that is in a cluster.
struct cluster_metrics {
  explicit cluster_metrics(metrics_registry& registry);

  gauge &nodes, &partitions_owned, &lag, &standby_lag;
  counter &partitions_gained, &handed_over, &hand_over_failures, &owner_waits;
};

}  // namespace soma
