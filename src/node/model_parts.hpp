// Everything of models that a node stands on, put together from the configuration and the store:
// profiles, credentials, caps, the audit file, and the gateway over them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "llm/call_places.hpp"
#include "llm/provider_health.hpp"
#include "models/llm_gateway.hpp"
#include "models/usage_store.hpp"
#include "node/store_documents.hpp"

namespace soma {

llm::client_options client_options_of(const config& settings, metrics_registry& metrics);

// The keys of auth.enc_key or of the file of auth.enc_key_file. Errors: config.invalid.
result<std::vector<secret_string>> encryption_keys(const config& settings);

class model_parts {
 public:
  // Blocks on the store and the audit file.
  static result<std::unique_ptr<model_parts>> make(const config& settings,
                                                   storage::event_log& events,
                                                   store_documents& documents,
                                                   metrics_registry& metrics);

  models::llm_gateway& gateway() { return *gateway_; }

  // About once a second, on a thread that may block: where the file of keys was changed, every
  // secret is sealed anew under its first key. What fails is logged and tried again.
  void follow_key_file();

  // Sessions get their models and make their calls through the gateway.
  void serve(actors::node_services& node);

  // From here on usage is saved by jobs of the writer; until `last_save`, when no call runs any
  // more, which saves what is left.
  void save_by(models::usage_store::run_on_writer run);
  result<void> last_save(storage::event_log& events);

 private:
  model_parts(const config& settings, storage::event_log& events, store_documents& documents,
              std::vector<secret_string> keys, std::unique_ptr<security::audit_log> audit,
              metrics_registry& metrics);

  result<void> rotate(std::vector<secret_string> keys);

  const std::string key_file_;
  std::string key_file_seen_;  // what tells its versions apart
  security::credential_vault vault_;
  models::model_registry models_;
  llm::usage_ledger ledger_;
  std::unique_ptr<security::audit_log> audit_;
  std::unique_ptr<models::llm_gateway> gateway_;
  std::unique_ptr<models::usage_store> usage_;
};

}  // namespace soma
