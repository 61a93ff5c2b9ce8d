// RocksDB's own log, <store>/LOG and the one before it, at most a MiB each. Not RocksDB's own way
// of writing it: that ends the process by an assertion when the disk is full. Here a line that
// cannot be written is lost. Thread-safe. Private to storage.
#pragma once

#include <memory>
#include <string>

namespace rocksdb {
class Logger;
}

namespace soma::storage {

std::shared_ptr<rocksdb::Logger> make_store_log(const std::string& folder);

}  // namespace soma::storage
