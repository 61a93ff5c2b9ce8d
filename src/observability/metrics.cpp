#include "observability/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <map>
#include <mutex>
#include <variant>

#include "core/codes.hpp"

namespace soma {
namespace {

using handle =
    std::variant<std::unique_ptr<counter>, std::unique_ptr<gauge>, std::unique_ptr<histogram>>;

struct family {
  std::string help;
  prometheus::MetricType type{};
  std::map<metric_labels, handle> members;
};

constexpr std::string_view turn_outcomes[] = {"stop",      "length", "tool_calls", "content_filter",
                                              "cancelled", "error",  "other"};

counter& storage_failures(metrics_registry& r, std::string_view code) {
  return r.get_counter("soma_storage_failures_total",
                       "Calls that the store refused or could not do",
                       {{"code", std::string(code)}});
}

void fill(prometheus::ClientMetric& out, const counter& c) {
  out.counter.value = static_cast<double>(c.value());
}

void fill(prometheus::ClientMetric& out, const gauge& g) {
  out.gauge.value = static_cast<double>(g.value());
}

void fill(prometheus::ClientMetric& out, const histogram& h) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < histogram::bucket_count; ++i) {
    total += h.bucket(i);
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = total;
    bucket.upper_bound = i + 1 < histogram::bucket_count
                             ? static_cast<double>(histogram::bounds_us[i]) / 1e6
                             : std::numeric_limits<double>::infinity();
    out.histogram.bucket.push_back(bucket);
  }
  // The total of the buckets, not a count of its own, so that one line cannot contradict another.
  out.histogram.sample_count = total;
  out.histogram.sample_sum = static_cast<double>(h.sum_us()) / 1e6;
}

}  // namespace

struct metrics_registry::state {
  mutable std::mutex mutex;
  std::map<std::string, family, std::less<>> families;

  template <class Metric>
  Metric& get(std::string_view name, std::string_view help, metric_labels labels,
              prometheus::MetricType type) {
    std::sort(labels.begin(), labels.end());
    const std::lock_guard lock(mutex);
    auto it = families.find(name);
    if (it == families.end())
      it = families.emplace(std::string(name), family{std::string(help), type, {}}).first;
    assert(it->second.type == type);
    auto& member = it->second.members[std::move(labels)];
    if (!std::holds_alternative<std::unique_ptr<Metric>>(member) ||
        !std::get<std::unique_ptr<Metric>>(member))
      member = std::make_unique<Metric>();
    return *std::get<std::unique_ptr<Metric>>(member);
  }
};

metrics_registry::metrics_registry() : state_(std::make_unique<state>()) {}
metrics_registry::~metrics_registry() = default;

counter& metrics_registry::get_counter(std::string_view name, std::string_view help,
                                       metric_labels labels) {
  return state_->get<counter>(name, help, std::move(labels), prometheus::MetricType::Counter);
}

gauge& metrics_registry::get_gauge(std::string_view name, std::string_view help,
                                   metric_labels labels) {
  return state_->get<gauge>(name, help, std::move(labels), prometheus::MetricType::Gauge);
}

histogram& metrics_registry::get_histogram(std::string_view name, std::string_view help,
                                           metric_labels labels) {
  return state_->get<histogram>(name, help, std::move(labels), prometheus::MetricType::Histogram);
}

std::string metrics_registry::render() const {
  std::vector<prometheus::MetricFamily> out;
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& [name, f] : state_->families) {
      prometheus::MetricFamily made;
      made.name = name;
      made.help = f.help;
      made.type = f.type;
      for (const auto& [labels, member] : f.members) {
        prometheus::ClientMetric metric;
        for (const auto& [label, value] : labels) metric.label.push_back({label, value});
        std::visit([&](const auto& m) { fill(metric, *m); }, member);
        made.metric.push_back(std::move(metric));
      }
      out.push_back(std::move(made));
    }
  }
  return prometheus::TextSerializer().Serialize(out);
}

server_metrics::server_metrics(metrics_registry& r)
    : connections_open(r.get_gauge("soma_http_connections_open", "Open client connections")),
      streams_open(r.get_gauge("soma_streams_open", "Open event streams")),
      sessions_active(r.get_gauge("soma_sessions_active", "Session actors in memory")),
      writer_queue_bytes(r.get_gauge("soma_writer_queue_bytes", "Bytes waiting for the writer")),
      reader_queue_depth(r.get_gauge("soma_reader_queue_depth", "Reads waiting for the log")),
      asks_in_flight(r.get_gauge("soma_asks_in_flight", "Requests waiting for actors")),
      writes_waiting(r.get_gauge("soma_writes_waiting", "Writes of requests waiting for the disk")),
      disk_free_bytes(r.get_gauge("soma_disk_free_bytes", "Free on the data folder's disk")),
      disk_free_inodes(r.get_gauge("soma_disk_free_inodes", "Free on the data folder's disk")),
      store_bytes(r.get_gauge("soma_store_bytes", "Size of the store's files")),
      files_open(r.get_gauge("process_open_fds", "Open descriptors")),
      files_max(r.get_gauge("process_max_fds", "Descriptors that may be open")),
      resident_bytes(r.get_gauge("process_resident_memory_bytes", "Memory in use")),
      audit_waiting(r.get_gauge("soma_audit_records_waiting", "Audit records not yet written")),
      dead_letters(r.get_gauge("soma_outbox_dead_letters", "Rows that no sink takes")),
      vectors_waiting(r.get_gauge("soma_memory_vectors_waiting", "Memories without a vector")),
      vectors_lag_seconds(
          r.get_gauge("soma_memory_vectors_lag_seconds", "How long some have been waiting")),
      vectors_set_aside(
          r.get_gauge("soma_memory_vectors_set_aside", "Memories whose text gets no vector")),
      memory_wal_lag(r.get_gauge("soma_memory_wal_lag",
                                 "Commits that the log for other sites has not taken yet")),
      memory_replica_lag_seconds(
          r.get_gauge("soma_memory_replica_lag_seconds",
                      "Since a tenant was last told all of the log that it follows, the longest")),
      connections_refused(r.get_counter("soma_http_connections_refused_total",
                                        "Connections closed for want of room")),
      stream_frames(r.get_counter("soma_stream_frames_total", "Frames sent to streams")),
      stream_bytes(r.get_counter("soma_stream_bytes_total", "Bytes sent to streams")),
      reader_fallbacks(
          r.get_counter("soma_stream_log_reads_total", "Pieces of the log read for streams")),
      append_events(r.get_counter("soma_append_events_total", "Events made durable")),
      append_batches(r.get_counter("soma_append_batches_total", "Synced writes")),
      append_bytes(r.get_counter("soma_append_bytes_total", "Bytes of events made durable")),
      llm_calls(r.get_counter("soma_llm_calls_total", "Model calls started")),
      sessions_quarantined(
          r.get_counter("soma_sessions_quarantined_total", "Sessions that failed too often")),
      store_full(storage_failures(r, codes::storage_full)),
      store_damaged(storage_failures(r, codes::storage_corrupt)),
      store_unavailable(storage_failures(r, codes::storage_unavailable)),
      log_lines_dropped(r.get_counter("soma_log_lines_dropped_total", "For want of a reader")),
      audit_lost(r.get_counter("soma_audit_records_lost_total", "For want of a disk")),
      fsync(r.get_histogram("soma_append_sync_seconds", "Time of one synced write")),
      llm_first_token(
          r.get_histogram("soma_llm_first_token_seconds", "Time to the first piece of an answer")),
      recall(r.get_histogram("soma_recall_seconds",
                             "Time to what is remembered, before a turn's first model call")),
      registry_(r) {
  // What fails is there from the start, so that its first time is an increase.
  for (const auto code :
       {codes::llm_unreachable, codes::llm_timeout_first_token, codes::llm_timeout_idle,
        codes::llm_timeout_total, codes::llm_circuit_open, codes::llm_bad_stream, codes::llm_auth,
        codes::llm_rate_limited, codes::llm_context_exceeded, codes::llm_bad_request,
        codes::llm_provider_error})
    (void)llm_failures(code);
  for (const auto outcome : turn_outcomes) (void)turns(outcome);
  for (const auto sink : {"somabrain"}) {
    (void)outbox_depth(sink);
    (void)outbox_lag_seconds(sink);
    (void)outbox_sent(sink);
    (void)outbox_failures(sink);
  }
  for (const auto outcome : {"found", "nothing", "degraded"}) (void)recalls(outcome);
}

counter& server_metrics::http_requests(std::string_view route, std::string_view method,
                                       int status) {
  return registry_.get_counter("soma_http_requests_total", "Requests answered",
                               {{"route", std::string(route)},
                                {"method", std::string(method)},
                                {"status", std::to_string(status)}});
}

histogram& server_metrics::http_latency(std::string_view route) {
  return registry_.get_histogram("soma_http_request_seconds", "Time to answer a request",
                                 {{"route", std::string(route)}});
}

counter& server_metrics::llm_failures(std::string_view code) {
  return registry_.get_counter("soma_llm_failures_total", "Model calls that failed",
                               {{"code", std::string(code)}});
}

// Providers name reasons as they like.
counter& server_metrics::recalls(std::string_view outcome) {
  return registry_.get_counter("soma_recalls_total", "Turns for which memory was looked through",
                               {{"outcome", std::string(outcome)}});
}

gauge& server_metrics::vectors_tenants(std::string_view state) {
  return registry_.get_gauge("soma_memory_vectors_tenants", "Tenants with a model for vectors",
                             {{"state", std::string(state)}});
}

cluster_metrics::cluster_metrics(metrics_registry& r)
    : nodes(r.get_gauge("soma_cluster_nodes", "Nodes that are heard, this one too")),
      partitions_owned(r.get_gauge("soma_cluster_partitions_owned", "Partitions of this node")),
      lag(r.get_gauge("soma_cluster_lag_records",
                      "Records that this node has yet to read, of the partition where most")),
      standby_lag(r.get_gauge("soma_cluster_standby_lag_records",
                              "The same of the nodes that follow a partition of this one")),
      partitions_gained(r.get_counter("soma_cluster_partitions_gained_total",
                                      "Partitions that this node came to own")),
      handed_over(r.get_counter("soma_cluster_requests_handed_over_total",
                                "Requests that another node was given")),
      hand_over_failures(
          r.get_counter("soma_cluster_hand_over_failures_total", "Tries at it that got no answer")),
      owner_waits(r.get_counter("soma_cluster_owner_waits_total",
                                "Requests that found no owner and waited for one")) {}

gauge& server_metrics::outbox_depth(std::string_view sink) {
  return registry_.get_gauge("soma_outbox_depth", "Rows that wait for a sink",
                             {{"sink", std::string(sink)}});
}

gauge& server_metrics::outbox_lag_seconds(std::string_view sink) {
  return registry_.get_gauge("soma_outbox_lag_seconds", "Age of the oldest row that waits",
                             {{"sink", std::string(sink)}});
}

counter& server_metrics::outbox_sent(std::string_view sink) {
  return registry_.get_counter("soma_outbox_sent_total", "Rows that a sink acknowledged",
                               {{"sink", std::string(sink)}});
}

counter& server_metrics::outbox_failures(std::string_view sink) {
  return registry_.get_counter("soma_outbox_failures_total", "Calls of a sink that failed",
                               {{"sink", std::string(sink)}});
}

counter& server_metrics::policy_calls(std::string_view source) {
  return registry_.get_counter("soma_policy_calls_total", "Calls of whoever is asked about policy",
                               {{"source", std::string(source)}});
}

counter& server_metrics::policy_failures(std::string_view source) {
  return registry_.get_counter("soma_policy_failures_total",
                               "Calls of them that gave no answer that can be used",
                               {{"source", std::string(source)}});
}

counter& server_metrics::policy_denials(std::string_view source) {
  return registry_.get_counter("soma_policy_denials_total", "Questions that they denied",
                               {{"source", std::string(source)}});
}

counter& server_metrics::policy_cache(std::string_view outcome) {
  return registry_.get_counter("soma_policy_cache_total",
                               "Questions to them that a kept answer was looked for",
                               {{"outcome", std::string(outcome)}});
}

counter& server_metrics::turns(std::string_view outcome) {
  if (std::find(std::begin(turn_outcomes), std::end(turn_outcomes), outcome) ==
      std::end(turn_outcomes))
    outcome = "other";
  return registry_.get_counter("soma_turns_total", "Turns ended",
                               {{"outcome", std::string(outcome)}});
}

}  // namespace soma
