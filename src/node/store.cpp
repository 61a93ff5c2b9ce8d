#include "node/store.hpp"

#include <chrono>
#include <utility>

#include "core/codes.hpp"
#include "core/version.hpp"
#include "node/kafka_doors.hpp"
#include "node/settings_checks.hpp"
#include "observability/log.hpp"

namespace soma {
namespace {

// A log that is new is founded, read and claimed within less.
constexpr std::chrono::milliseconds founder_waited_for{10'000};

storage::store_options store_options_of(const config& settings, const descriptor_plan& files) {
  storage::store_options options;
  options.data_dir = settings.text("storage.data_dir");
  options.open_files_max = files.store_files_max;
  options.release = version;
  options.min_free_bytes = static_cast<std::uint64_t>(settings.number("storage.min_free_bytes"));
  options.block_cache_bytes =
      static_cast<std::uint64_t>(settings.number("storage.block_cache_bytes"));
  if (settings.flag("storage.encrypt_events"))
    options.event_bytes_max += security::seal_overhead_bytes;
  options.on_notice = [](const std::string& what) {
    log(log_level::warn, "storage.notice", {{"what", what}});
  };
  // A session's is told by who asked for its rows (node_vitals).
  options.on_damage = [](const error& what, const session_key* session) {
    if (!session) log(log_level::error, "storage.damaged", {{"what", what.detail}});
  };
  return options;
}

struct opened_log {
  std::unique_ptr<storage::event_log> log;
  replication::replicated_event_log* cluster = nullptr;
};

result<replication::host_settings> host_settings_of(const config& settings) {
  replication::host_settings how;
  auto client = kafka_client_of(settings);
  if (!client) return client.error();
  how.client = std::move(*client);
  how.node = settings.text("cluster.node");
  how.topic = topic_of(settings, "session.events");
  how.partitions = static_cast<std::uint32_t>(settings.number("cluster.partitions"));
  how.single_broker = settings.flag("cluster.unsafe_single_broker");
  how.rules.lease_ms = settings.number("cluster.lease_ms");
  how.rules.commit_timeout_ms = settings.number("cluster.commit_timeout_ms");
  how.rules.reclaim_ms = settings.number("cluster.reclaim_ms");
  how.founds = settings.flag("cluster.found");
  how.rank.reset();  // settle() and membership say what it claims, and when
  return how;
}

result<opened_log> open_log(const config& settings, const storage::store_options& options) {
  if (settings.text("kafka.brokers").empty()) {
    auto own = storage::open_rocksdb_event_log(options);
    if (!own) return own.error();
    return opened_log{std::move(*own), nullptr};
  }
  auto how = host_settings_of(settings);
  if (!how) return how.error();
  if (how->single_broker)
    log(log_level::warn, "cluster.single_broker",
        {{"what", "what is acknowledged is on one broker only, and is lost with it"}});
  auto followed = replication::replicated_event_log::open(
      options, std::move(*how),
      std::chrono::milliseconds(settings.number("cluster.start_wait_ms")));
  if (!followed) return followed.error();
  auto* cluster = followed->get();
  return opened_log{std::move(*followed), cluster};
}

}  // namespace

void node_store::on_ownership(ownership_calls calls) {
  if (!cluster_) return;
  auto& host = cluster_->host();
  const bool ends = !calls.changed;
  if (ends) {
    host.watch({});
    host.rests({});
  }
  {
    const std::lock_guard lock(ownership_->mutex);
    ownership_->later = std::move(calls.later);
  }
  if (ends) return;
  host.rests([rest = std::move(calls.rest), count = host.partitions()](std::uint32_t partition) {
    return rest(
        [&](const session_key& key) { return cluster::partition_of(key, count) == partition; });
  });
  host.watch([this, changed = std::move(calls.changed)](const cluster::partition_view&) {
    changed();
    if (ownership_->asked.exchange(true)) return;
    const bool posted = lanes_.quick.post([mine = ownership_] {
      mine->asked = false;  // what comes from here on is seen by the next
      const std::lock_guard lock(mine->mutex);
      if (mine->later) mine->later();
    });
    if (!posted) ownership_->asked = false;
  });
}

node_store::~node_store() {
  if (!cluster_) return;
  cluster_->host().watch({});
  cluster_->host().rests({});
}

node_store::node_store(const config& settings, descriptor_plan plan,
                       std::unique_ptr<storage::event_log> log,
                       replication::replicated_event_log* cluster,
                       std::unique_ptr<security::tenant_keys> keys)
    : settings_(settings),
      plan_(std::move(plan)),
      log_(std::move(log)),
      cluster_(cluster),
      tenant_keys_(std::move(keys)),
      sealed_(*log_, *tenant_keys_),
      vitals_(settings.text("storage.data_dir")),
      events_(sealed_, vitals_),
      documents_(events_) {
  vitals_.sample();
}

result<std::unique_ptr<node_store>> node_store::open(const config& settings) {
  auto plan = plan_descriptors(raise_descriptor_limit(), connections_wanted(settings),
                               io_threads_of(settings));
  if (!plan) return plan.error();
  if (!plan->said.empty()) log(log_level::warn, "server.few_descriptors", {{"what", plan->said}});
  auto events = open_log(settings, store_options_of(settings, *plan));
  if (!events) return events.error();
  // Behind the store's lock: who else has the folder may be changing them.
  auto tenant_keys = open_tenant_keys(settings, *events->log);
  if (!tenant_keys) return tenant_keys.error();
  std::unique_ptr<node_store> made(new node_store(settings, std::move(*plan),
                                                  std::move(events->log), events->cluster,
                                                  std::move(*tenant_keys)));
  auto key = server_key_of(settings.text("storage.data_dir"), made->events_);
  if (!key) return key.error();
  made->server_key_ = std::move(*key);
  auto audit = open_node_audit(settings);
  if (!audit) return audit.error();
  made->audit_ = std::move(*audit);
  return made;
}

// Read by nobody, written by nobody: what an operator sees who names other brokers than before.
bool node_store::finds_no_cluster() const {
  const auto& host = cluster_->host();
  for (std::uint32_t i = 0; i < host.partitions(); ++i)
    if (const auto view = host.look(i); view.end > 0 || view.stopped) return false;
  return true;
}

result<void> node_store::follow_logs() {
  auto& host = cluster_->host();
  const bool has_peers = !settings_.list("cluster.peers").empty();
  if (!has_peers)
    for (std::uint32_t i = 0; i < host.partitions(); ++i) host.may_claim(i, 0);
  std::chrono::milliseconds wait(settings_.number("cluster.start_wait_ms"));
  const auto first = std::min(wait, founder_waited_for);
  if (host.settled(first)) return {};
  const error none(codes::dependency_unavailable,
                   "the topic has no cluster in it: check kafka.brokers and cluster.name; where it "
                   "is to be a new one, start one node once with cluster.found");
  if (finds_no_cluster()) {
    if (!has_peers) return none;
    log(log_level::warn, "cluster.waits_for_founder", {{"what", none.detail}});
  }
  if (host.settled(wait - first)) return {};
  if (finds_no_cluster()) return none;
  return error(codes::dependency_unavailable,
               "the logs of the cluster were not read to their end, or have no owner, in time");
}

result<void> node_store::settle() {
  if (cluster_)
    if (auto followed = follow_logs(); !followed) return followed;
  auto secrets = node_secrets::open(settings_, documents_, *audit_, *tenant_keys_);
  if (!secrets) return secrets.error();
  secrets_ = std::move(*secrets);
  return {};
}

}  // namespace soma
