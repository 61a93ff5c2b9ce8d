#include "node/metrics.hpp"

#include <map>
#include <tuple>
#include <utility>

#include "app/cluster.hpp"
#include "app/node_vitals.hpp"
#include "app/outgoing.hpp"
#include "app/provider_sign_in.hpp"
#include "app/services.hpp"
#include "app/tool_gateway.hpp"
#include "memory/memories.hpp"
#include "models/llm_gateway.hpp"
#include "observability/log.hpp"

namespace soma {
namespace {

std::uint64_t microseconds(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1e6);
}

}  // namespace

void metrics_probe::on_request(std::string_view route, http::verb method, int status,
                               std::chrono::nanoseconds latency) noexcept {
  struct handles {
    counter* requests;
    histogram* latency;
  };
  // Routes live as long as the server, so their addresses name them; a lookup of the registry
  // locks.
  thread_local std::map<std::tuple<const char*, http::verb, int>, handles> known;
  auto [at, fresh] = known.try_emplace({route.data(), method, status});
  if (fresh)
    at->second = {&metrics_.http_requests(route, to_string(method), status),
                  &metrics_.http_latency(route)};
  at->second.requests->add();
  at->second.latency->observe_us(static_cast<std::uint64_t>(latency.count()) / 1000);
}

void metrics_probe::committed(std::size_t, std::size_t events, std::size_t bytes, double seconds) {
  metrics_.append_batches.add();
  metrics_.append_events.add(events);
  metrics_.append_bytes.add(bytes);
  metrics_.fsync.observe_us(microseconds(seconds));
}

void metrics_probe::session_quarantined(const session_key& session, std::string_view code) {
  metrics_.sessions_quarantined.add();
  security::audit_record r;
  r.what = "session.quarantined";
  r.tenant_id = session.tenant.value;
  r.door = "node";
  r.why = code;
  r.resource = r.session_id = session.session.value;
  audit_.record(r);
}

void metrics_probe::first_token(double seconds) {
  metrics_.llm_first_token.observe_us(microseconds(seconds));
}

void metrics_probe::recalled(std::size_t items, bool degraded, double seconds) {
  metrics_.recall.observe_us(microseconds(seconds));
  const auto* outcome = degraded ? "degraded" : items > 0 ? "found" : "nothing";
  metrics_.recalls(outcome).add();
}

std::string node_metrics::render(const http::gateway& g) {
  auto& metrics = metrics_;
  std::uint64_t open = 0, frames = 0, bytes = 0, reads = 0;
  for (const auto& hub : g.hubs) {
    const auto& counted = std::as_const(*hub).counters();
    open += counted.open;
    frames += counted.frames;
    bytes += counted.bytes;
    reads += counted.chunks;
  }
  std::size_t asks = 0;
  for (const auto& bridge : g.services.bridges) asks += bridge->waiting();
  auto set = [](gauge& to, std::uint64_t n) { to.set(static_cast<std::int64_t>(n)); };
  set(metrics.streams_open, open);
  set(metrics.asks_in_flight, asks);
  set(metrics.reader_queue_depth, g.services.lanes.quick.waiting() +
                                      g.services.lanes.pages.waiting() +
                                      g.services.lanes.longer.waiting());
  set(metrics.writes_waiting, g.services.lanes.writes.waiting());
  set(metrics.writer_queue_bytes, g.services.node.queued_bytes.load(std::memory_order_relaxed));
  metrics.stream_frames.raise_to(frames);
  metrics.stream_bytes.raise_to(bytes);
  metrics.reader_fallbacks.raise_to(reads);
  set(metrics.disk_free_bytes, g.services.vitals.free_bytes());
  if (g.services.vitals.free_inodes() != UINT64_MAX)
    set(metrics.disk_free_inodes, g.services.vitals.free_inodes());
  set(metrics.store_bytes, g.services.vitals.store_bytes());
  set(metrics.files_open, g.services.vitals.files_open());
  set(metrics.files_max, g.services.vitals.files_max());
  set(metrics.resident_bytes, g.services.vitals.resident_bytes());
  metrics.store_full.raise_to(g.services.vitals.full());
  metrics.store_damaged.raise_to(g.services.vitals.damaged());
  metrics.store_unavailable.raise_to(g.services.vitals.unavailable());
  metrics.log_lines_dropped.raise_to(log_lines_dropped());
  metrics.audit_lost.raise_to(g.services.llm.audit().lost());
  set(metrics.audit_waiting, g.services.llm.audit().waiting());
  const auto vectors = g.services.memories.all_vectors_now();
  set(metrics.vectors_waiting, vectors.waiting);
  set(metrics.vectors_lag_seconds, static_cast<std::uint64_t>(vectors.lag_s));
  set(metrics.vectors_set_aside, vectors.set_aside);
  set(metrics.vectors_tenants("ready"), vectors.ready);
  set(metrics.vectors_tenants("building"), vectors.building);
  set(metrics.vectors_tenants("failing"), vectors.failing);
  if (const auto asked = g.services.tools.policy.figures(); !asked.sources.empty()) {
    for (const auto& one : asked.sources) {
      metrics.policy_calls(one.name).raise_to(one.calls);
      metrics.policy_failures(one.name).raise_to(one.failures);
      metrics.policy_denials(one.name).raise_to(one.denials);
    }
    metrics.policy_cache("hit").raise_to(asked.cache_hits);
    metrics.policy_cache("miss").raise_to(asked.cache_misses);
  }
  if (const auto* provider = g.services.provider) {
    registry_.get_gauge("soma_oidc_provider_up", "Whether the OpenID provider is there")
        .set(app::provider_trouble(g.services).empty() ? 1 : 0);
    const auto sign_ins = [this](const char* outcome, std::uint64_t total) {
      registry_
          .get_counter("soma_oidc_sign_ins_total", "Sign-ins by the OpenID provider",
                       {{"outcome", outcome}})
          .raise_to(total);
    };
    sign_ins("done", provider->came_in.load());
    sign_ins("refused", provider->refused.load());
  }
  const auto out = app::outgoing_now(g.services);
  set(metrics.dead_letters, out.dead);
  set(metrics.memory_wal_lag, out.wal_lag);
  if (const auto* followed = g.services.out.replicator)
    set(metrics.memory_replica_lag_seconds, static_cast<std::uint64_t>(followed->lag_s_max()));
  if (const auto* relay = g.services.out.somabrain) {
    const auto now = relay->figures();
    set(metrics.outbox_depth("somabrain"), out.depth);
    set(metrics.outbox_lag_seconds("somabrain"), static_cast<std::uint64_t>(out.lag_s));
    metrics.outbox_sent("somabrain").raise_to(now.sent);
    metrics.outbox_failures("somabrain").raise_to(now.failed);
  }
  if (g.relay) {
    const cluster_metrics shown(registry_);
    const auto now = app::figures_of(*g.services.cluster);
    const auto relayed = g.relay->counted();
    set(shown.nodes, now.nodes);
    set(shown.partitions_owned, now.owned);
    set(shown.lag, now.lag_max);
    set(shown.standby_lag, now.standby_lag_max);
    shown.partitions_gained.raise_to(now.gained);
    shown.handed_over.raise_to(relayed.handed_over);
    shown.hand_over_failures.raise_to(relayed.failed);
    shown.owner_waits.raise_to(relayed.waited);
  }
  return registry_.render();
}

}  // namespace soma
