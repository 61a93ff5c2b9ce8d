#include "app/node_health.hpp"

#include <algorithm>

#include "app/cluster.hpp"
#include "app/door_board.hpp"
#include "app/node_vitals.hpp"
#include "app/outgoing.hpp"
#include "app/provider_sign_in.hpp"
#include "app/services.hpp"
#include "app/tool_gateway.hpp"
#include "memory/memories.hpp"
#include "models/llm_gateway.hpp"
#include "tools/mcp/servers.hpp"

namespace soma::app {
namespace {

constexpr std::uint64_t inodes_min = 1000;
constexpr double replica_lag_s_max = 60;

void append(std::string& list, const std::string& name, const std::string& why) {
  list += (list.empty() ? "" : "; ") + name + ": " + why;
}

// Tools that are on and cannot run here, each with why.
std::string tools_missing(const services& s, const tenant_id& tenant) {
  std::string missing;
  for (const auto& [id, entry] : s.tools.catalog.of(tenant)->entries)
    if (entry.enabled && entry.executor != "mcp")
      if (const auto why = s.tools.runner.unavailable(tenant, id); !why.empty())
        append(missing, id, why);
  return missing;
}

// Servers of tools that are not connected, each with why.
std::string servers_missing(const services& s, const tenant_id& tenant) {
  std::string missing;
  for (const auto& one : s.tools.mcp.list(tenant))
    if (one.state != "ready")
      append(missing, one.name, one.last_error.empty() ? one.state : one.last_error);
  return missing;
}

// The worst comes first.
health_component storage_of(const services& s) {
  const auto& v = s.vitals;
  const auto least = static_cast<std::uint64_t>(s.settings.number("storage.min_free_bytes"));
  const auto free = std::to_string(v.free_bytes() >> 20) + " MiB are free";
  if (!v.disk_seen()) return {"storage", false, "the data folder cannot be looked at"};
  if (v.refusing()) return {"storage", false, "the store refused the last write; " + free};
  if (const auto damage = v.damage(); damage > 0)
    return {"storage", false,
            "the store met damaged bytes in " + std::to_string(damage) +
                (damage == 1 ? " place" : " places") + "; see the log"};
  if (v.free_bytes() < least) return {"storage", false, free};
  if (v.free_inodes() < inodes_min)
    return {"storage", false, std::to_string(v.free_inodes()) + " inodes are free"};
  return {"storage", true, free};
}

// Descriptors are taken by connections, and the store needs some, too.
health_component files_of(const node_vitals& v) {
  const bool ok = v.files_max() == 0 || v.files_open() < v.files_max() / 10 * 9;
  return {"descriptors", ok,
          std::to_string(v.files_open()) + " of " + std::to_string(v.files_max()) + " are open"};
}

health_component audit_of(const security::audit_log& audit) {
  if (audit.failing()) return {"audit", false, "the audit cannot be written"};
  if (const auto lost = audit.lost(); lost > 0)
    return {"audit", false, std::to_string(lost) + " records were lost"};
  if (audit.damaged())
    return {"audit", false, "records are not right: soma audit verify names the first"};
  if (!audit.not_copied().empty())
    return {"audit", false, "the audit cannot be copied: the log says why"};
  return {"audit", true, ""};
}

// Where whoever is asked is away, what is not known for certain is refused.
health_component policy_of(const security::policy& policy) {
  const auto now = policy.figures();
  health_component out{"policy", true, ""};
  for (const auto& one : now.sources) {
    if (one.state == "closed" && one.trouble.empty()) continue;
    out.ok = out.ok && one.state == "closed";
    append(out.detail, std::string(one.name), one.trouble.empty() ? "it is away" : one.trouble);
  }
  if (now.sources.empty()) return out;
  double calls = 0, failures = 0;
  for (const auto& one : now.sources) {
    calls += static_cast<double>(one.calls);
    failures += static_cast<double>(one.failures);
  }
  out.figures = {
      {"calls", calls}, {"failures", failures}, {"cached", static_cast<double>(now.cache_entries)}};
  return out;
}

// Others that are away hold up nothing here.
health_component outbox_of(const outgoing_figures& now) {
  std::string why;
  if (now.breaker != "none" && now.breaker != "closed")
    append(why, "somabrain", now.trouble.empty() ? "it is away" : now.trouble);
  else if (now.says.known && !now.says.ok)
    append(why, "somabrain", now.says.why);
  if (now.dead > 0) append(why, "dead letters", "see /v1/admin/dlq");
  const bool ok = why.empty();
  if (now.feedback == "not_taken") append(why, "somabrain", "takes no ratings, they stay here");
  return {"outbox",
          ok,
          std::move(why),
          false,
          {{"depth", static_cast<double>(now.depth)},
           {"lag_s", now.lag_s},
           {"dlq", static_cast<double>(now.dead)}}};
}

// Without them there are words, so nothing is down.
health_component vectors_of(const memory::vector_status& now) {
  return {"vectors",
          now.state != "failing",
          now.why,
          false,
          {{"waiting", static_cast<double>(now.waiting)},
           {"lag_s", now.lag_s},
           {"set_aside", static_cast<double>(now.set_aside)}}};
}

health_component memory_of(const services& s, const tenant_id& tenant) {
  auto why = s.memories.degraded();
  health_component out{"memory", why.empty(), std::move(why), false};
  if (s.out.wal) out.figures.emplace_back("wal_lag", static_cast<double>(s.out.wal->lag()));
  if (!s.out.replicator) return out;
  const auto followed = s.out.replicator->figures(tenant);
  if (!followed.following) return out;
  out.figures.emplace_back("replica_lag_s", followed.lag_s);
  if (followed.lag_s > replica_lag_s_max) {
    out.ok = false;
    append(out.detail, "replica", "it has not been told all of the log that it follows for long");
  }
  return out;
}

// A partition that nobody owns is one that is being taken over, or whose nodes are all gone.
health_component cluster_of(const cluster_node& in) {
  const auto now = figures_of(in);
  std::string why;
  if (now.stopped > 0)
    append(why, "partitions", std::to_string(now.stopped) + " have stopped at this node");
  if (now.without_owner > 0)
    append(why, "partitions", std::to_string(now.without_owner) + " have no owner");
  if (now.refused > 0) append(why, "nodes", std::to_string(now.refused) + " are not let in");
  const bool ok = now.stopped == 0 && now.without_owner == 0;
  return {"cluster",
          ok,
          std::move(why),
          true,
          {{"nodes", static_cast<double>(now.nodes)},
           {"partitions", static_cast<double>(now.owned)},
           {"lag", static_cast<double>(now.lag_max)},
           {"standby_lag", static_cast<double>(now.standby_lag_max)}}};
}

// What comes in or goes out by Kafka waits while it is away, and nothing else does.
health_component kafka_of(const door_board& doors) {
  health_component out{"kafka", true, "", false};
  for (auto& [name, state] : doors.all()) {
    out.figures.insert(out.figures.end(), state.figures.begin(), state.figures.end());
    if (state.trouble.empty()) continue;
    out.ok = false;
    append(out.detail, name, state.trouble);
  }
  return out;
}

}  // namespace

bool is_alive(const services& s) {
  return s.node.root_alive.load();
}

std::vector<health_component> health_of(const services& s, const tenant_id& tenant) {
  const bool configured = s.llm.models().any();
  const auto backlog = s.node.queued_bytes.load(std::memory_order_relaxed);
  const bool writer_busy = backlog > s.node.limits.writer_queue_bytes / 2;
  auto missing = tools_missing(s, tenant), servers = servers_missing(s, tenant);
  std::vector<health_component> all;
  all.push_back({"llm", configured, configured ? "" : "no model is configured"});
  all.push_back(
      {"event_writer", !writer_busy, std::to_string(backlog) + " bytes wait for the disk"});
  all.push_back(storage_of(s));
  all.push_back(files_of(s.vitals));
  all.push_back(audit_of(s.llm.audit()));
  all.push_back(policy_of(s.tools.policy));
  all.push_back(outbox_of(outgoing_now(s)));
  all.push_back(memory_of(s, tenant));
  if (auto now = s.memories.vectors_now(tenant); now.state != "off") all.push_back(vectors_of(now));
  if (s.cluster) all.push_back(cluster_of(*s.cluster));
  if (s.doors) all.push_back(kafka_of(*s.doors));
  if (s.provider) {
    auto trouble = provider_trouble(s);
    const bool there = trouble.empty();
    all.push_back({"oidc", there, std::move(trouble), false});  // who is signed in goes on
  }
  // A machine without a sandbox, or a server of others that is away: conversations go on.
  const bool tools_ok = missing.empty(), servers_ok = servers.empty();
  all.push_back({"tools", tools_ok, std::move(missing), false});
  all.push_back({"mcp", servers_ok, std::move(servers), false});
  return all;
}

}  // namespace soma::app
