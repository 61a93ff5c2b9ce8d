// `soma tenant erase`: all that a tenant ever said becomes unreadable, wherever it was copied, and
// is deleted here. For a data folder on which no server runs.
#pragma once

#include <cstdint>

#include "core/config.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"

namespace soma {

struct erased_tenant {
  bool had_key = false;  // false: nothing of it was ever sealed, so copies stay readable
  std::uint64_t sessions = 0, events = 0, memories = 0, attachments = 0, identities = 0;
  std::uint64_t plain_events = 0;  // that were written without being sealed: backups show them
  std::uint64_t plain_files = 0;   // of attachments, the same
  std::uint64_t plain_values = 0;  // memories, ratings, titles, snapshots of sessions, the same
  std::uint64_t outbox_rows = 0;   // that wait for the index of memories or SomaBrain

  bool operator==(const erased_tenant&) const = default;
};

// What an erasure would do, without doing it. Errors: as erase_tenant.
result<erased_tenant> look_at_tenant(const config& settings, const tenant_id& tenant,
                                     bool with_admin_key);

// Destroys the key first; then its rows, files, keys of users and sign-ins go, and the index of
// memories, which is made anew by the next start. Neither a damaged store nor another's key keeps
// it from destroying a key that there is: the rest is done as far as it can be, and an error says
// what is left. May be called again after an error, and does the rest. Its record is in the audit.
// `with_admin_key`: also the tenant of SOMA_ADMIN_KEY, which nobody can ask by then.
// Errors: storage.locked where a server runs; config.invalid: there is no such tenant, it is that
// of SOMA_ADMIN_KEY, the folder is another user's; those of the store, the keys and the audit.
result<erased_tenant> erase_tenant(const config& settings, const tenant_id& tenant,
                                   bool with_admin_key);

}  // namespace soma
