// What doors see of sessions' logs: the values of the store's port, and a reader that cannot write.
#pragma once

#include "storage/session_log.hpp"

namespace soma::app {

using storage::epoch_start;
using storage::event_page;
using storage::read_options;
using storage::session_head;
using storage::session_info;
using storage::session_list_options;
using storage::session_list_page;
using storage::stored_event;

// Thread-safe; blocks on the disk. Lifetime: the log outlives it.
class log_reader {
 public:
  log_reader(const storage::session_log& log) : log_(&log) {}

  result<session_head> head(const session_key& key) const { return log_->head(key); }
  result<event_page> read(const session_key& key, const read_options& options) const {
    return log_->read(key, options);
  }

 private:
  const storage::session_log* log_;
};

}  // namespace soma::app
