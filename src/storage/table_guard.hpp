// Keeps RocksDB from a table that would end the process. It reads a table's properties before it
// checks them, and a bit at their end makes it take them for a block with an index of hashes, which
// an assertion then misses. All other damage it finds by itself. Private to storage.
#pragma once

#include <rocksdb/file_system.h>

#include <cstdint>
#include <string>

namespace soma::storage {

// Corruption: it is such a table. OK: it is none, or it could not be read so far.
rocksdb::IOStatus guard_table(const std::string& name, rocksdb::FSRandomAccessFile& file,
                              std::uint64_t bytes);

}  // namespace soma::storage
