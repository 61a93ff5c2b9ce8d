// For tests that make the disk fail, or a small store flush: the parts that are otherwise fixed.
// Private to storage and its tests.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "storage/event_log.hpp"

namespace rocksdb {
class Env;
}

namespace soma::storage {

struct store_seams {
  rocksdb::Env* env = nullptr;        // outlives the log
  std::size_t wal_bytes = 32u << 20;  // flushed above it
  std::function<std::optional<std::uint64_t>(const std::string& folder)> free_bytes;
  // After a deletion, before its space is given back: others may follow it.
  std::chrono::milliseconds reclaim_after{20'000};
  bool salvage = false;   // tables may be damaged, and stand-ins in their places (store_rebuild)
  int reclaim_rest = 10;  // a round that took a second is followed by so many without
};

result<std::unique_ptr<event_log>> open_rocksdb_event_log_on(const store_options& options,
                                                             const store_seams& seams);

}  // namespace soma::storage
