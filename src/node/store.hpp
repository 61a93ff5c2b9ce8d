// What a node keeps on its disk: the event log as it is watched, the server's key, the documents of
// identities, secrets and the keys that seal them, the audit; and the threads that wait for the
// disk in others' stead.
//
// Thread-safe once it is open. Its end finishes what the lanes were asked for, then closes the log.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "app/lanes.hpp"
#include "app/node_vitals.hpp"
#include "core/config.hpp"
#include "core/secret.hpp"
#include "node/audit.hpp"
#include "node/descriptors.hpp"
#include "node/secrets.hpp"
#include "node/store_documents.hpp"
#include "replication/replicated_event_log.hpp"
#include "sealing/sealed_event_log.hpp"
#include "security/secrets/tenant_keys.hpp"
#include "storage/event_log.hpp"
#include "storage/observed_event_log.hpp"

namespace soma {

class node_store {
 public:
  // Divides the process's open files first. Blocks. Errors: config.invalid, those of the store and
  // of the audit's file.
  static result<std::unique_ptr<node_store>> open(const config& settings);
  // All that was written by now is here, and every partition has an owner; then what stands on
  // documents is opened. A node of several is linked to the others before, since they say what it
  // may claim. Once, before anything but events(), server_key(), audit() and partitions() is used.
  // Blocks up to cluster.start_wait_ms. Errors: dependency.unavailable, those of secrets.
  result<void> settle();

  ~node_store();

  const descriptor_plan& descriptors() const { return plan_; }
  storage::event_log& events() { return events_; }
  store_documents& documents() { return documents_; }
  // What tenants' values are sealed under.
  security::tenant_keys& tenant_keys() { return *tenant_keys_; }
  const secret_string& server_key() const { return server_key_; }
  node_secrets& secrets() { return *secrets_; }
  security::audit_log& audit() { return *audit_; }
  app::node_vitals& vitals() { return vitals_; }
  app::store_lanes& lanes() { return lanes_; }
  // Of a cluster's node; null: this process is by itself.
  cluster::partition_host* partitions() { return cluster_ ? &cluster_->host() : nullptr; }
  struct ownership_calls {
    // After this node gained or lost a partition, or the leave to act in one: at once, on a thread
    // that nothing may keep.
    std::function<void()> changed;
    // Then, on a lane; of what gathers meanwhile once.
    std::function<void()> later;
    // Whether nothing runs of these sessions any more; on such a thread.
    std::function<bool(const std::function<bool(const session_key&)>&)> rest;
  };
  // Empty ones: never again, from the moment this returns. By the main thread.
  void on_ownership(ownership_calls calls);

 private:
  node_store(const config& settings, descriptor_plan plan, std::unique_ptr<storage::event_log> log,
             replication::replicated_event_log* cluster,
             std::unique_ptr<security::tenant_keys> keys);
  bool finds_no_cluster() const;
  result<void> follow_logs();

  const config& settings_;
  const descriptor_plan plan_;
  const std::unique_ptr<storage::event_log> log_;
  replication::replicated_event_log* const cluster_;  // which log_ is then
  const std::unique_ptr<security::tenant_keys> tenant_keys_;
  sealing::sealed_event_log sealed_;
  app::node_vitals vitals_;
  storage::observed_event_log events_;
  store_documents documents_;
  secret_string server_key_;
  std::unique_ptr<security::audit_log> audit_;
  std::unique_ptr<node_secrets> secrets_;
  struct ownership {
    std::mutex mutex;  // held while it is called
    std::function<void()> later;
    std::atomic<bool> asked = false;
  };
  const std::shared_ptr<ownership> ownership_ = std::make_shared<ownership>();
  app::store_lanes lanes_;  // the last: its work uses the others
};

}  // namespace soma
