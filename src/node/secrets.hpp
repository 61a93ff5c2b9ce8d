// The secrets that a node keeps (keys of providers, tokens of servers), and the keys that they are
// sealed under.
//
// The vault is thread-safe; `follow_key_file` is for one thread, which may block. Lifetime: the
// documents and the audit, which is told of each key that secrets move to, outlive it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/secret.hpp"
#include "security/audit/audit_log.hpp"
#include "security/document_store.hpp"
#include "security/secrets/credential_vault.hpp"

namespace soma {

// The keys of auth.enc_key or of the file of auth.enc_key_file. Errors: config.invalid.
result<std::vector<secret_string>> encryption_keys(const config& settings);

class node_secrets {
 public:
  // Blocks on the store. What an older key seals is sealed anew under the first; what no key opens
  // is logged.
  static result<std::unique_ptr<node_secrets>> open(const config& settings,
                                                    security::document_store& documents,
                                                    security::audit_log& audit);

  security::credential_vault& vault() { return vault_; }

  // About once a second: where the file of keys was changed, every secret is sealed anew under its
  // first key. What fails is logged and tried again.
  void follow_key_file();

 private:
  node_secrets(const config& settings, security::document_store& documents,
               security::audit_log& audit, std::vector<secret_string> keys);
  // `are_new`: they are others than before, which is recorded though there may be no secret yet.
  result<void> rotate(std::vector<secret_string> keys, bool are_new);

  security::audit_log& audit_;
  const std::string key_file_;
  std::string key_file_seen_;  // what tells its versions apart
  security::credential_vault vault_;
};

}  // namespace soma
