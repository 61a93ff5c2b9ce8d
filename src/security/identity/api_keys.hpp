// API keys: `soma_<id>_<secret>`, an id of 32 hexadecimal digits (a UUID without its dashes) and 32
// random bytes as base64url. Kept is a keyed hash of the whole text, never the key; its text is
// shown once, when made.
//
// Thread-safe; every call may block on the store. A store that fails is an error, never a yes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/may_block.hpp"
#include "core/secret.hpp"
#include "security/document_store.hpp"
#include "security/identity/identity.hpp"

namespace soma::security {

struct api_key {
  std::string id;
  std::string prefix;  // soma_<the id's begin>: what a person recognizes it by
  std::string name;
  security::role role = role::user;
  tenant_id tenant;
  user_id user;
  std::int64_t created_at_ms = 0;
  std::int64_t last_used_at_ms = 0;  // 0: never; coarse, see last_used_step_ms
  std::int64_t expires_at_ms = 0;    // 0: never
};

struct new_api_key {
  std::string name;
  security::role role = role::user;
  tenant_id tenant;
  user_id user;
  std::int64_t expires_at_ms = 0;
};

struct made_api_key {
  api_key key;
  secret_string text;
};

class key_store {
 public:
  // A use is written at most this often, since every write is synced.
  static constexpr std::int64_t last_used_step_ms = 60 * 60 * 1000;

  // `documents` outlives this object.
  key_store(document_store& documents, const secret_string& server_key);

  // Writes a new key's row, with whatever is to become true with it, or fails and writes nothing.
  using keeper = std::function<result<void>(const api_key& key, const document_row& row)>;

  // `keep` writes in place of the store.
  result<made_api_key> create(const new_api_key& wanted, std::int64_t now_ms,
                              const keeper& keep = {});
  result<std::vector<api_key>> list(const tenant_id& tenant) const;  // oldest first
  // key.not_found for what is not there and for another tenant's.
  result<void> remove(const tenant_id& tenant, std::string_view id);

  // The key that `text` is; auth.invalid when it is none, or expired.
  result<api_key> verify(std::string_view text, std::int64_t now_ms) const;
  // The key with this id while it holds; auth.invalid otherwise. Proves nothing about a caller.
  result<api_key> find(std::string_view id, std::int64_t now_ms) const;
  // Notes a use, when the noted one is old.
  result<void> touch(const api_key& used, std::int64_t now_ms);

 private:
  struct stored;
  result<std::optional<stored>> read(std::string_view id) const;
  static document_row row_of(const stored& s);
  result<void> write(const stored& s);
  std::string hash(std::string_view text) const;

  document_store& documents_;
  secret_string key_;
  // Held over read and write of one document, so that a noted use cannot bring back a removed key.
  disk_mutex change_;
};

}  // namespace soma::security
