// The secrets that a node keeps (keys of providers, tokens of servers), and the keys that they are
// sealed under, which wrap the keys of tenants, too.
//
// The vault is thread-safe; `follow_key_file` is for one thread, which may block. Lifetime: the
// documents, the audit, which is told of each key that secrets move to, and the keys of tenants
// outlive it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/secret.hpp"
#include "security/audit/audit_log.hpp"
#include "security/document_store.hpp"
#include "security/secrets/credential_vault.hpp"
#include "security/secrets/tenant_keys.hpp"
#include "storage/documents.hpp"

namespace soma {

// The keys of auth.enc_key or of the file of auth.enc_key_file. Errors: config.invalid.
result<std::vector<secret_string>> encryption_keys(const config& settings);

// Those of the data folder, whose store is open in this process. Errors: as tenant_keys::open,
// config.invalid.
result<std::unique_ptr<security::tenant_keys>> open_tenant_keys(const config& settings);
// The same to erase one of them: no damage and no other key is an error (tenant_keys_options).
result<std::unique_ptr<security::tenant_keys>> open_tenant_keys_to_erase(const config& settings);
// As the first, and the store knows from then on which of them its values need: one that is missing
// is an error, so that a restored store is not begun with other keys. `documents` outlives them.
result<std::unique_ptr<security::tenant_keys>> open_tenant_keys(const config& settings,
                                                                storage::document_store& documents);

class node_secrets {
 public:
  // Blocks on the store. What an older key seals is sealed anew under the first; what no key opens
  // is logged.
  static result<std::unique_ptr<node_secrets>> open(const config& settings,
                                                    security::document_store& documents,
                                                    security::audit_log& audit,
                                                    security::tenant_keys& tenant_keys);

  security::credential_vault& vault() { return vault_; }

  // About once a second: where the file of keys was changed, every secret is sealed anew under its
  // first key. What fails is logged and tried again.
  void follow_key_file();

 private:
  node_secrets(const config& settings, security::document_store& documents,
               security::audit_log& audit, security::tenant_keys& tenant_keys,
               std::vector<secret_string> keys);
  // `are_new`: they are others than before, which is recorded though there may be no secret yet.
  result<void> rotate(std::vector<secret_string> keys, bool are_new);

  security::audit_log& audit_;
  const std::string key_file_;
  std::string key_file_seen_;  // what tells its versions apart
  security::tenant_keys& tenant_keys_;
  security::credential_vault vault_;
};

}  // namespace soma
