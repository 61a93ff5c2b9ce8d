// The backups of a node, and the socket `backup.sock` (local_door.hpp) at which `soma backup` asks
// the running server for one: a line with how many to keep and the folder, and lines with how far
// it is, of which the last is "made …" or "failed …".
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backup/backup_keeper.hpp"
#include "core/config.hpp"
#include "core/error.hpp"
#include "node/local_door.hpp"
#include "storage/event_log.hpp"

namespace soma {

backup::backup_sources backup_sources_of(const config& settings, const storage::event_log& log);
backup::keeper_options keeper_options_of(const config& settings);

// The keeper outlives the door; the end of the door waits until its `stop` was heard. Error:
// storage.unavailable.
result<std::unique_ptr<local_door>> open_backup_door(const std::string& data_dir,
                                                     backup::backup_keeper& keeper);

// Has the running server make a backup in `folder`, which is named from the root. `told` hears each
// line. Blocks until it is made. Errors: storage.unavailable (no server runs, or it ended), and
// that of the backup, whose code is then storage.unavailable, too.
result<std::string> ask_for_backup(const std::string& data_dir, const std::string& folder,
                                   std::size_t keep,
                                   const std::function<void(const std::string&)>& told);

// What was made, in a line for a person.
std::string summary_of(const backup::backup_made& made);

}  // namespace soma
