// Secrets of a tenant's model providers, at rest. Each is sealed under a data key of its own, which
// is sealed under the key that the operator gives; tenant and provider are bound to both, so that a
// row moved elsewhere does not open. Rotation seals the data keys anew and leaves the secrets
// alone.
//
// Keys: the first of the list seals, all of it opens. With an empty list nothing is stored.
// Thread-safe; blocks on the store.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/secret.hpp"
#include "security/document_store.hpp"

namespace soma::security {

struct credential_view {
  std::string provider;
  std::string fingerprint;  // tells secrets apart, and nothing of them
  std::int64_t created_at_ms = 0, updated_at_ms = 0;
};

class credential_vault {
 public:
  credential_vault(document_store& store, std::vector<secret_string> keys)
      : store_(store), keys_(std::move(keys)) {}

  // Errors: secret.key_missing, those of the store.
  result<credential_view> put(const tenant_id& tenant, std::string_view provider,
                              const secret_string& secret, std::int64_t now_ms);
  // None: nothing is stored. Errors: secret.key_missing; secret.key_wrong: no key of the list opens
  // it; storage.corrupt: it was changed.
  result<std::optional<secret_string>> open(const tenant_id& tenant, std::string_view provider);
  result<std::optional<credential_view>> view(const tenant_id& tenant, std::string_view provider);
  result<std::vector<credential_view>> list(const tenant_id& tenant);
  result<void> remove(const tenant_id& tenant, std::string_view provider);

  // Seals every data key under the first key; how many were not yet. Rows that no key opens stay
  // as they are and are counted in `lost`.
  struct rotation {
    std::size_t sealed_anew = 0, kept = 0, lost = 0;
  };
  result<rotation> rotate(std::vector<secret_string> keys);

 private:
  struct row;
  static std::optional<row> parse(std::string_view document);
  result<secret_string> open_data_key(const row& r, std::string_view bound_to) const;

  document_store& store_;
  mutable std::mutex mutex_;  // guards keys_
  std::vector<secret_string> keys_;
};

}  // namespace soma::security
