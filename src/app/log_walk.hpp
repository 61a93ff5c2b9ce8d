// A session's log from its first event to some other, a piece at a time. Used by one thread at a
// time; blocks on the disk.
#pragma once

#include <utility>
#include <vector>

#include "app/body_source.hpp"
#include "app/log_reader.hpp"
#include "core/codes.hpp"

namespace soma::app {

class log_walk {
 public:
  log_walk(const storage::session_log& log, session_key key, std::uint64_t first_seq,
           std::uint64_t last_seq)
      : log_(log), key_(std::move(key)), at_(first_seq - 1), last_(last_seq) {}

  // The next events, in order; empty at the end. Fails with session.not_found when the log lost
  // events that were there.
  result<std::vector<storage::stored_event>> next() {
    std::vector<storage::stored_event> events;
    if (at_ == last_) return events;
    storage::read_options options;
    options.after_seq = at_;
    options.before_seq = last_ + 1;
    options.bytes_max = handed_on_bytes;
    auto page = log_.read(key_, options);
    if (!page) return page.error();
    for (const auto& e : page->events)
      if (e.id.seq != ++at_) return gone();
    if (page->events.empty()) return gone();
    return std::move(page->events);
  }

 private:
  static error gone() {
    return {codes::session_not_found, "the session was reset or deleted meanwhile"};
  }

  const storage::session_log& log_;
  const session_key key_;
  std::uint64_t at_;
  const std::uint64_t last_;
};

}  // namespace soma::app
