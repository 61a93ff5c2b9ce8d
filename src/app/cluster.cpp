#include "app/cluster.hpp"

#include <algorithm>

#include "app/services.hpp"
#include "cluster/placement.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "peers/node_links.hpp"

namespace soma::app {
namespace {

// Of each partition: of as many ids one is of the wanted partition but once in e^16 times. One that
// is not is refused by its log, and asked for again.
constexpr std::size_t draws_of_each = 16;

std::uint64_t distance(cluster::log_offset from, cluster::log_offset to) {
  return to > from ? static_cast<std::uint64_t>(to - from) : 0;
}

error not_the_operators() {
  return {codes::auth_forbidden, "a cluster is for admins of the operator's tenant"};
}

// What it shows of others stands still.
bool is_blind(const cluster::partition_view& view) {
  return view.stopped || (!view.owned_here && view.next <= 0 && view.end <= 0);
}

cluster_overview::partition partition_seen(const cluster::partition_view& view,
                                           const std::vector<peers::node_seen>& nodes) {
  cluster_overview::partition out;
  out.partition = view.partition;
  out.epoch = view.epoch;
  if (!view.released) out.owner = view.owner;
  out.head = distance(0, view.end);
  out.stopped = view.stopped.value_or("");
  for (const auto& one : nodes) {
    if (one.node == view.owner || one.state == "down") continue;
    const auto next = one.is_self                        ? view.next
                      : view.partition < one.next.size() ? one.next[view.partition]
                                                         : 0;
    out.standbys.push_back({one.node, distance(next, view.end)});
  }
  return out;
}

}  // namespace

cluster_node::owner cluster_node::owner_of(std::uint32_t partition) const {
  const auto view = on_.host.look(partition);
  owner out;
  if (is_blind(view)) {
    out.node = on_.links.owner_said(partition).value_or("");
  } else {
    if (view.released) return out;
    out.node = view.owner;
    out.epoch = view.epoch;
    out.here = view.owned_here && view.may_act;
    out.is_next = view.owned_here && !view.may_act;
  }
  if (!view.owned_here && !out.node.empty()) out.door = on_.links.door_of(out.node).value_or("");
  return out;
}

std::optional<std::string> cluster_node::door_of(const std::string& node) const {
  return on_.links.door_of(node);
}

std::vector<std::string> cluster_node::others() const {
  std::vector<std::string> names;
  for (const auto& one : on_.links.look().nodes)
    if (!one.is_self) names.push_back(one.node);
  return names;
}

std::uint32_t cluster_node::partition_of(const session_key& session) const {
  return cluster::partition_of(session, on_.host.partitions());
}

// All tenants' documents are in one partition, so far.
std::uint32_t cluster_node::partition_of(const tenant_id&) const {
  return cluster::documents_partition;
}

std::uint32_t cluster_node::partition_of_new(const caller& who, std::string_view key) const {
  if (!key.empty())
    return partition_of(
        session_key{who.tenant, session_id("key\n" + who.user.value + "\n" + std::string(key))});
  const auto all = on_.host.partitions();
  const auto first = static_cast<std::uint32_t>(random_u64() % all);
  std::optional<std::uint32_t> elsewhere;
  for (std::uint32_t i = 0; i < all; ++i) {
    const auto one = owner_of((first + i) % all);
    if (one.here) return (first + i) % all;
    if (!one.door.empty() && !elsewhere) elsewhere = (first + i) % all;
  }
  return elsewhere.value_or(first);
}

std::optional<cluster::read_position> cluster_node::position(std::uint32_t partition) const {
  const auto next = on_.host.look(partition).next;
  if (next <= 0) return std::nullopt;
  return cluster::read_position{partition, next - 1};
}

bool cluster_node::follows(std::uint32_t partition) const {
  return !is_blind(on_.host.look(partition));
}

bool cluster_node::knows_keys() const {
  return on_.links.documents_silent_ms() <= on_.auth_lag_max_ms;
}

std::int64_t cluster_node::time_at(const std::string& node) const {
  return now_ms() + on_.links.clock_ahead_ms(node);
}

bool cluster_node::has_applied(const cluster::read_position& wanted) const {
  if (wanted.partition >= on_.host.partitions()) return true;  // of another cluster: says nothing
  if (!follows(wanted.partition)) return true;
  return cluster::covers(on_.host.look(wanted.partition).next, wanted.offset);
}

cluster_node* cluster_of(services& s) {
  return s.cluster;
}

// A fork is about one session and makes another.
bool draws_its_partition(const operation& what, const session_id& session) {
  return what.owner == owner::session &&
         (what.id == "fork_session" || (session.empty() && makes_a_session(what)));
}

std::optional<std::uint32_t> partition_for(const cluster_node& in, const operation& what,
                                           const caller& who, const session_id& session,
                                           std::string_view key) {
  switch (what.owner) {
    case owner::node: break;
    case owner::tenant: return in.partition_of(who.tenant);
    case owner::session:
      if (draws_its_partition(what, session)) return in.partition_of_new(who, key);
      if (session.empty()) return in.partition_of(who.tenant);
      return in.partition_of(session_key{who.tenant, session});
  }
  return std::nullopt;
}

session_id fresh_session(const services& s, const caller& who, std::string_view key) {
  session_id made(new_uuid());
  if (!s.cluster) return made;
  const auto& in = *s.cluster;
  const auto wanted = in.partition_of_new(who, key);
  const auto draws = draws_of_each * in.host().partitions();
  for (std::size_t i = 0; i < draws; ++i) {
    if (in.partition_of(session_key{who.tenant, made}) == wanted) break;
    made = session_id(new_uuid());
  }
  return made;
}

cluster_overview overview_of(const cluster_node* in) {
  cluster_overview out;
  if (!in) return out;
  const auto seen = in->links().look();
  out.clustered = true;
  out.node = in->node();
  out.draining = seen.draining;
  out.refused = seen.refused;
  out.moves_under_way = seen.moves_under_way;
  for (const auto& one : seen.nodes)
    out.nodes.push_back({one.node, one.http, one.version, one.state, one.roles, one.since_ms});
  for (std::uint32_t i = 0; i < in->host().partitions(); ++i)
    out.partitions.push_back(partition_seen(in->host().look(i), seen.nodes));
  return out;
}

result<cluster_overview> look_at_cluster(services& s, const caller& who,
                                         const session_id& session) {
  if (who.tenant.value != operators_tenant) return not_the_operators();
  auto out = overview_of(s.cluster);
  if (s.cluster && !session.empty())
    out.of_session = out.partitions[s.cluster->partition_of(session_key{who.tenant, session})];
  return out;
}

result<void> drain_node(services& s, const admitted& in, bool wanted) {
  if (in.who().tenant.value != operators_tenant) return not_the_operators();
  if (!s.cluster) return error(codes::cluster_absent, "this server is in no cluster");
  s.cluster->links().drain(wanted);
  return {};
}

cluster_figures figures_of(const cluster_node& in) {
  cluster_figures out;
  const auto seen = in.links().look();
  for (const auto& one : seen.nodes) out.nodes += one.state != "down";
  out.refused = seen.refused.size();
  out.gained = seen.gained;
  for (std::uint32_t i = 0; i < in.host().partitions(); ++i) {
    const auto view = in.host().look(i);
    out.owned += view.owned_here;
    out.stopped += view.stopped.has_value();
    out.without_owner += view.owner.empty() || view.released;
    out.lag_max = std::max(out.lag_max, distance(view.next, view.end));
    if (!view.owned_here) continue;
    for (const auto& standby : partition_seen(view, seen.nodes).standbys)
      out.standby_lag_max = std::max(out.standby_lag_max, standby.lag);
  }
  return out;
}

}  // namespace soma::app
