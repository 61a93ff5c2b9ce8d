// Where the index of memories lies, which has their words in the clear: in memory.index_dir, else
// in the data folder, or with storage.encrypt_events in a folder in memory (/dev/shm), which is
// gone with the machine's power and made anew.
//
// A folder in memory belongs to one data folder: `memory-index` there has its name's random part.
// No backup has that file, so a restored store, or another one at the same place, never meets an
// index that is not its own.
//
// Blocks on the disk.
#pragma once

#include <string>

#include "core/config.hpp"
#include "core/error.hpp"

namespace soma {

// The path of the index, in a folder that is there and of the server's user alone. One that lies in
// the data folder, and is not to, is deleted. Errors: config.invalid, storage.unavailable.
result<std::string> place_memory_index(const config& settings);

// Deletes it, wherever it may lie. No server runs on the data folder.
void remove_memory_index(const config& settings);

}  // namespace soma
