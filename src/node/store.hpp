// What a node keeps on its disk: the event log as it is watched, the server's key, the documents of
// identities, secrets and the keys that seal them, the audit; and the threads that wait for the
// disk in others' stead.
//
// Thread-safe once it is open. Its end finishes what the lanes were asked for, then closes the log.
#pragma once

#include <memory>

#include "app/lanes.hpp"
#include "app/node_vitals.hpp"
#include "core/config.hpp"
#include "core/secret.hpp"
#include "node/audit.hpp"
#include "node/descriptors.hpp"
#include "node/secrets.hpp"
#include "node/store_documents.hpp"
#include "storage/event_log.hpp"
#include "storage/observed_event_log.hpp"

namespace soma {

class node_store {
 public:
  // Divides the process's open files first. Blocks. Errors: config.invalid, those of the store and
  // of the audit's file.
  static result<std::unique_ptr<node_store>> open(const config& settings);

  const descriptor_plan& descriptors() const { return plan_; }
  storage::event_log& events() { return events_; }
  store_documents& documents() { return documents_; }
  const secret_string& server_key() const { return server_key_; }
  node_secrets& secrets() { return *secrets_; }
  security::audit_log& audit() { return *audit_; }
  app::node_vitals& vitals() { return vitals_; }
  app::store_lanes& lanes() { return lanes_; }

 private:
  node_store(const config& settings, descriptor_plan plan, std::unique_ptr<storage::event_log> log);

  const descriptor_plan plan_;
  const std::unique_ptr<storage::event_log> log_;
  app::node_vitals vitals_;
  storage::observed_event_log events_;
  store_documents documents_;
  secret_string server_key_;
  std::unique_ptr<security::audit_log> audit_;
  std::unique_ptr<node_secrets> secrets_;
  app::store_lanes lanes_;  // the last: its work uses the others
};

}  // namespace soma
