// For tests that make the disk fail: the store on an environment of their own. Private to storage
// and its tests.
#pragma once

#include <memory>

#include "storage/event_log.hpp"

namespace rocksdb {
class Env;
}

namespace soma::storage {

// `env` outlives the log.
result<std::unique_ptr<event_log>> open_rocksdb_event_log_on(const store_options& options,
                                                             rocksdb::Env* env);

}  // namespace soma::storage
