// The keys that tenants' values are sealed under, one a tenant, made when it is first needed. Each
// is wrapped by the operator's key (GATEWAY_ENC_KEY) and lies in a file of its own, apart from the
// store, so that no backup of the store and no table or log of it ever held one:
//
//   <data>/tenant-keys/<SHA-256 of the tenant's id>
//     soma-tenant-key 1
//     <tenant>
//     <made at, ms>
//     <the wrapped key>, or: erased <at, ms>
//
// A tenant that was erased has no key and never gets one again; its file says so for ever.
//
// Thread-safe. `of` computes and waits for nobody but where a key is made; that, `rotate` and
// `erase` block on the disk. Lifetime: keys that were given out stay good.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/may_block.hpp"
#include "core/secret.hpp"
#include "security/secrets/value_seal.hpp"

namespace soma::security {

// What tells keys apart, and nothing of them.
std::string fingerprint_of(const value_key& key);

struct tenant_keys_options {
  std::string folder;                // tenant_keys_folder(data_dir)
  std::vector<secret_string> wraps;  // the first wraps, all of them open
  bool makes = false;                // keys for tenants that have none: storage.encrypt_events
  // Told of a key that was made, before anything is sealed by it; its error is that of whoever
  // needed it. So that a store knows which keys it needs. May be empty; blocks; does not ask for
  // keys.
  std::function<result<void>(const tenant_id&, std::string_view fingerprint)> on_made{};
  // They are opened to erase one of them alone: then no key is unwrapped, and what is damaged or
  // wrapped by another key is no error. What they are asked for is secret.key_wrong.
  bool to_erase = false;
};

std::string tenant_keys_folder(const std::string& data_dir);

class tenant_keys {
 public:
  // Reads all. Errors: secret.key_missing (there are keys, or they are to be made, and nothing to
  // wrap them by), secret.key_wrong (one opens by none of them), storage.corrupt (one cannot be
  // read), storage.unavailable. Nothing is written then.
  static result<std::unique_ptr<tenant_keys>> open(tenant_keys_options options);

  // Null: the tenant has none, and what it writes is not sealed. Errors: tenant.erased;
  // storage.unavailable, storage.full where one is made, and those of on_made: then the next call
  // tries with the same key. config.invalid: an id with control characters.
  result<std::shared_ptr<const value_key>> for_writing(const tenant_id& tenant);
  // Errors: tenant.erased; secret.key_missing: there is none.
  result<std::shared_ptr<const value_key>> for_reading(const tenant_id& tenant) const;
  bool erased(const tenant_id& tenant) const;
  // Whether it has a key or had one, be its file readable or not. Blocks on the disk.
  bool had_key(const tenant_id& tenant) const;
  // Whether what was sealed by the key of that fingerprint can be read, or was erased. Errors:
  // secret.key_missing, secret.key_wrong: the tenant has another key now.
  result<void> check(const tenant_id& tenant, std::string_view fingerprint) const;
  // All that there are, of whom nobody was erased.
  std::vector<std::pair<tenant_id, std::string>> fingerprints() const;
  // Whether nobody has one and none is made: then there is nothing to seal and to open.
  bool unused() const;

  // Wraps all anew under the first of these; how many were. Errors: secret.key_wrong, those of the
  // disk; what was wrapped anew by then stays so.
  result<std::size_t> rotate(std::vector<secret_string> wraps);

  // Destroys the key: its file is replaced by one that says so, and overwritten. True: there was
  // one. Errors: those of the disk; then it is erased or not, and asked for again. config.invalid:
  // an id with control characters.
  result<bool> erase(const tenant_id& tenant, std::int64_t now_ms);

 private:
  struct entry {
    std::int64_t made_at_ms = 0;
    std::optional<std::int64_t> erased_at_ms;
    std::string wrapped;
    std::shared_ptr<const value_key> key;  // null: erased, or not unwrapped
  };
  explicit tenant_keys(tenant_keys_options options) : options_(std::move(options)) {}
  result<void> load();
  result<entry> read(const std::string& path, tenant_id& tenant) const;
  result<secret_string> unwrap(const tenant_id& tenant, std::string_view wrapped) const;
  result<void> write(const tenant_id& tenant, const entry& what) const;
  std::string path_of(const tenant_id& tenant) const;

  tenant_keys_options options_;
  disk_mutex change_mutex_;             // of a change as a whole: disk and memory in one order
  std::map<tenant_id, entry> unnoted_;  // behind it: in their files, and on_made failed
  mutable quick_mutex mutex_;           // over entries_
  std::map<tenant_id, entry> entries_;
};

}  // namespace soma::security
