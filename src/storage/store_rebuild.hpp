// Makes a store with damaged tables whole: all that can be read of it is copied into a new one,
// which takes its place in one step; the old one is kept. Blocks; nobody may have the store open.
// Private to storage.
#pragma once

#include <string>
#include <vector>

#include "storage/store_files.hpp"
#include "storage/store_repair.hpp"

namespace soma::storage {

// Writes what can be read of the store in `data_dir` to `folder`/store and exchanges the two, so
// that `folder` holds the damaged one. Tables that do not open are left out; a row that one of them
// may have held is believed only where another can vouch for it: an event that is where its head
// says and of that epoch. A session whose events cannot all be read is cut before the
// first that cannot; a head that cannot be believed is made anew of the events; a session of which
// nothing can be read is gone. Adds those, and other rows that are
// lost, to `report`. `sealed` may be null. Errors: those of `sealed`, storage.corrupt (rows are
// damaged that cannot be done without), storage.full, storage.unavailable; the store is then as it
// was.
result<void> rebuild_store(const std::string& data_dir, const std::string& folder,
                           const std::vector<damaged_table>& damaged, sealed_values* sealed,
                           repair_report& report);

}  // namespace soma::storage
