// The use case of what model calls have used. Runs on its caller's io thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <utility>
#include <vector>

#include "app/pipeline.hpp"
#include "llm/usage_ledger.hpp"

namespace soma::app {

class services;

enum class usage_by : std::uint8_t { model, user, session };

struct usage_question {
  std::int64_t from_ms = 0, to_ms = 0;  // the first and the last day, each by its beginning (UTC)
  usage_by by = usage_by::model;
};
struct usage_report {
  // Added up; what was not asked for is empty in the keys.
  std::vector<std::pair<llm::usage_key, llm::usage_count>> rows;
  llm::usage_ledger::standing now;
  std::size_t waiting = 0;  // calls that wait for their turn
};

// Of the caller's tenant; by users and sessions only an admin sees what others used. Errors:
// request.invalid_parameter where there is more than one answer adds up, server.busy, those of the
// store.
boost::asio::awaitable<result<usage_report>> read_usage(services& s, const caller& who,
                                                        usage_question asked);

}  // namespace soma::app
