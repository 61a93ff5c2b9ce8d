// Use cases between two sites: the log of what is remembered here is read by another, and what it
// says is applied there. Each runs on its caller's io thread and waits on lanes.
//
// Errors: route.not_found where no log is kept, request.invalid_parameter about `after`,
// quota.exceeded, server.busy; memory.changed and request.invalid as memory/replicator.hpp says;
// those of the store.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "app/piece_source.hpp"
#include "app/pipeline.hpp"
#include "memory/replicator.hpp"

namespace soma::app {

class services;
using memory::replica_batch;
using memory::replica_outcome;

struct wal_question {
  std::string after;               // a position; empty: from the beginning
  bool goes_on = true;             // waits for what comes; else it ends where there is no more
  std::function<bool()> stopping;  // the stream is to end soon
};
// Lines of the log (memory/memory_wal.hpp), and one each second while nothing comes.
boost::asio::awaitable<result<std::shared_ptr<piece_source>>> read_memory_log(services& s,
                                                                              const caller& who,
                                                                              wal_question asked);

boost::asio::awaitable<result<replica_outcome>> apply_memory_log(services& s, const admitted& in,
                                                                 replica_batch what);
boost::asio::awaitable<result<void>> end_memory_log(services& s, const admitted& in,
                                                    std::string log);

}  // namespace soma::app
