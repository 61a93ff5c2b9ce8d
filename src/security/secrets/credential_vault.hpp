// Secrets of a tenant's model providers, at rest. Each is sealed under a data key of its own, which
// is sealed under the key that the operator gives; tenant and provider are bound to both, so that a
// row moved elsewhere does not open. Rotation seals the data keys anew and leaves the secrets
// alone.
//
// Keys: the first of the list seals, all of it opens. With an empty list nothing is stored.
// Rows are held in memory as they are stored, sealed, so opening one is computing alone and waits
// for no writer, on any thread. load, put, remove and rotate block on the store, one after another.
// Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/may_block.hpp"
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
  credential_vault(document_store& store, std::vector<secret_string> keys);
  ~credential_vault();

  // At start. Errors: storage.corrupt, those of the store.
  result<void> load();

  // Errors: secret.key_missing, those of the store.
  result<credential_view> put(const tenant_id& tenant, std::string_view provider,
                              const secret_string& secret, std::int64_t now_ms);
  // None: nothing is stored. Errors: secret.key_missing; secret.key_wrong: no key of the list opens
  // it; storage.corrupt: it was changed.
  result<std::optional<secret_string>> open(const tenant_id& tenant,
                                            std::string_view provider) const;
  std::optional<credential_view> view(const tenant_id& tenant, std::string_view provider) const;
  std::vector<credential_view> list(const tenant_id& tenant) const;
  result<void> remove(const tenant_id& tenant, std::string_view provider);

  // Takes other keys and seals every data key under the first. Rows that no key opens stay as they
  // are and are counted in `lost`.
  struct rotation {
    std::size_t sealed_anew = 0, kept = 0, lost = 0;
  };
  result<rotation> rotate(std::vector<secret_string> keys);

  // How many rows none of the keys opens.
  std::size_t unreadable() const;

 private:
  struct row;
  static std::optional<row> parse(std::string_view document);
  using key_list = std::vector<secret_string>;
  static result<secret_string> open_data_key(const key_list& keys, const row& r,
                                             std::string_view bound_to);
  result<void> store(const std::string& key, row r);  // under change_mutex_
  std::map<std::string, std::shared_ptr<const row>> rows() const;
  std::shared_ptr<const row> find(const std::string& key) const;
  std::shared_ptr<const key_list> keys() const;

  document_store& store_;
  disk_mutex change_mutex_;  // of a change as a whole: store and memory in one order
  // Over what follows. Rows and keys are replaced, not changed, so that they are opened without it.
  mutable quick_mutex mutex_;
  std::shared_ptr<const key_list> keys_;
  std::map<std::string, std::shared_ptr<const row>> rows_;
};

}  // namespace soma::security
