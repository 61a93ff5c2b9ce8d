// What policy may want to know of a session, in memory: asking costs no read of the disk but the
// first. A session's facts never change; ids of deleted ones are never made again.
//
// Thread-safe; `of` runs on its caller's io thread. Lifetime: log and lane outlive it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "app/lanes.hpp"
#include "app/log_reader.hpp"
#include "core/error.hpp"
#include "core/may_block.hpp"

namespace soma::app {

struct session_fact {
  std::string owner;  // user_id of who made it
};

class session_facts {
 public:
  static constexpr std::size_t rows_max = 65'536;  // past it all are read anew

  session_facts(log_reader log, lane& quick) : log_(log), lane_(quick) {}

  // None: there is no such session. Errors: those of the store.
  boost::asio::awaitable<result<std::optional<session_fact>>> of(session_key key);

 private:
  std::optional<session_fact> known(const session_key& key) const;

  const log_reader log_;
  lane& lane_;
  mutable quick_mutex mutex_;
  std::map<session_key, session_fact> rows_;
};

}  // namespace soma::app
