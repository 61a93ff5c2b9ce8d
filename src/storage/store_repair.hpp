// Mends a store. A damaged write-ahead log is cut where the damage begins: what was committed
// before it is kept, what came after it is gone, whole commits each. With damaged tables the store
// is written anew of what can be read, and sessions are cut before the first event that cannot
// (store_rebuild.hpp). No byte is destroyed: every file that is cut or taken away is kept whole in
// a folder of its own. Blocks. Nobody may have the store open.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/event_log.hpp"

namespace soma::storage {

struct repair_report {
  struct log_file {
    std::string name, why;
    std::uint64_t bytes = 0, bytes_kept = 0;
  };
  // Of what can still be read behind the damage; the damaged commit itself cannot.
  struct lost_session {
    session_key key;
    std::uint64_t events = 0;  // 0: nobody knows how many, or whether any
    event_id last_kept;        // 0.0: nothing of the session is left
  };
  struct kept_event {
    session_key key;
    event_id id;
  };

  std::vector<log_file>
      files;  // cut or taken away; empty: nothing was damaged, nothing was changed
  std::vector<std::string> tables;     // what is damaged in each; not empty: the store is a new one
  std::vector<std::string> also_lost;  // with the tables, that is no session's
  std::uint64_t heads_made = 0;        // anew, of their events: the rows themselves were damaged
  std::string folder;                  // where they are kept whole
  std::uint64_t commits_lost = 0;
  std::vector<lost_session> sessions;
  std::vector<kept_event> last_commit;  // the last events of the last commit before the damage
};

// Of values that a log above the store seals (sealing/sealed_event_log.hpp), where a head is made
// anew of a session's events.
class sealed_values {
 public:
  virtual ~sealed_values() = default;
  // True: it was sealed and is open now. Errors: storage.corrupt (it was changed or moved),
  // tenant.erased; else it is not known how to open it, and nothing is repaired.
  virtual result<bool> open_event(const session_key& key, std::uint64_t seq, event_type type,
                                  std::string& json) = 0;
  // Makes the title what the head of a session with sealed events has.
  virtual result<void> seal_title(const tenant_id& tenant, session_info& info) = 0;
};

// Errors: those of `sealed`; storage.locked; storage.unavailable (there is no store, or the disk
// refuses); storage.full (the new store has no room); storage.corrupt (damage to the MANIFEST, to
// rows that nothing can be without, or to a log of which some rows are in tables already: a backup
// must be restored). On an error the store is as it was, or its files are in the folder that the
// error names. Without `sealed`, heads that are made anew of sealed events have neither title nor
// owner.
result<repair_report> repair_store(const std::string& data_dir, sealed_values* sealed = nullptr);

// Reads and checks every file of a store that nobody has open. storage.corrupt names the first that
// is damaged.
// `goes_on` is asked before each table, with its size; where it says no, the error is
// storage.unavailable.
result<void> verify_store(const std::string& data_dir,
                          const std::function<bool(std::uint64_t bytes)>& goes_on = {});

}  // namespace soma::storage
