// RocksDB's file system, for a process that may run out of descriptors: a file that cannot be
// opened for want of one gets one that was kept back for that, and where those are used up the
// store waits a while for others to close theirs, instead of failing for good. It also keeps tables
// away that would end the process (table_guard.hpp). Thread-safe; may block as said. Private to
// storage.
#pragma once

#include <rocksdb/env.h>

#include <memory>

namespace soma::storage {

std::unique_ptr<rocksdb::Env> patient_env();
rocksdb::Env* common_env();  // one of them, for all of the process

}  // namespace soma::storage
