// What is kept of a user besides his keys and sign-ins: whether he may come in, the most that he
// may do, and when he was last here. Of whom nothing is kept may come in, as his keys say.
//
// Thread-safe; blocks on the store, whose errors it has.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/may_block.hpp"
#include "security/document_store.hpp"
#include "security/identity/identity.hpp"

namespace soma::security {

struct user_record {
  tenant_id tenant;
  user_id user;
  bool disabled = false;
  // The most that his keys and sign-ins may do; none: what each of them says.
  std::optional<security::role> role{};
  std::int64_t last_seen_at_ms = 0;  // 0: not since this is kept; coarse, see seen_step_ms
};

struct user_change {  // what is not given stays
  std::optional<bool> disabled{};
  std::optional<security::role> role{};
};

class user_store {
 public:
  // A visit is written at most this often, since every write is synced.
  static constexpr std::int64_t seen_step_ms = 10 * 60 * 1000;

  explicit user_store(document_store& documents) : documents_(documents) {}

  result<user_record> find(const tenant_id& tenant, const user_id& user) const;
  // Those of whom something is kept, by their ids.
  result<std::vector<user_record>> list(const tenant_id& tenant) const;
  result<user_record> change(const tenant_id& tenant, const user_id& user, const user_change& what);
  // Notes a visit, where the noted one is old.
  result<void> touch(const user_record& seen, std::int64_t now_ms);

 private:
  // Errors: server.busy, where others keep changing the same.
  result<user_record> alter(const tenant_id& tenant, const user_id& user,
                            const std::function<void(user_record&)>& how);

  document_store& documents_;
  // Held over read and write of one document, so that a visit cannot bring back what was changed.
  disk_mutex change_;
};

}  // namespace soma::security
