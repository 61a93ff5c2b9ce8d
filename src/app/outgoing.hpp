// What leaves the node: how far it is, what nobody takes, and looking for what was never taken. The
// use cases run on their caller's io thread and wait on lanes.
//
// Errors: dlq.not_found, request.invalid_parameter (a cursor), server.busy, those of the store.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <string>

#include "app/pipeline.hpp"
#include "core/tenant_places.hpp"
#include "memory/memory_sync.hpp"
#include "memory/memory_wal.hpp"
#include "memory/replicator.hpp"
#include "memory/somabrain_feedback.hpp"
#include "memory/somabrain_watch.hpp"
#include "outbox/dead_letters.hpp"
#include "outbox/relay.hpp"

namespace soma::app {

class services;
using outbox::dead_letter;
using outbox::dead_letter_page;

// Where SomaBrain is not set up there is no relay of it, nothing to compare, nobody to rate for.
struct outgoing {
  outbox::dead_letters& dead_letters;
  outbox::relay* somabrain = nullptr;
  memory::memory_sync* sync = nullptr;
  memory::somabrain_feedback* ratings = nullptr;
  memory::somabrain_watch* watch = nullptr;
  memory::memory_wal* wal = nullptr;  // null: no log is kept for other sites
  memory::replicator* replicator = nullptr;
  tenant_places wal_readers{4, 16};
};

// Does not block: what waits, in a word what the breaker is, and how long the oldest has waited.
struct outgoing_figures {
  bool configured = false;
  std::uint64_t depth = 0, dead = 0;
  double lag_s = 0;
  std::string breaker = "none";  // closed, open, half_open
  std::string trouble;           // why the last call failed
  std::string feedback = "off";  // unknown, taken, not_taken
  memory::brain_health says;     // of itself
  std::uint64_t wal_lag = 0;     // commits that are not in the log for other sites yet
};
outgoing_figures outgoing_now(const services& s);

boost::asio::awaitable<result<dead_letter_page>> list_dead_letters(services& s, const caller& who,
                                                                   std::string sink,
                                                                   std::string cursor,
                                                                   std::size_t limit);
boost::asio::awaitable<result<dead_letter>> find_dead_letter(services& s, const caller& who,
                                                             std::string id);
boost::asio::awaitable<result<void>> requeue_dead_letter(services& s, const admitted& in,
                                                         std::string id);
boost::asio::awaitable<result<void>> delete_dead_letter(services& s, const admitted& in,
                                                        std::string id);

struct memories_synced {
  bool configured = false;
  std::uint64_t looked_at = 0, queued = 0, gone = 0;
};
boost::asio::awaitable<result<memories_synced>> sync_memories(services& s, const admitted& in);

}  // namespace soma::app
