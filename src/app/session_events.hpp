// Use cases of a session's events: a page of them, and a ticket by which a browser follows them.
//
// Errors: session.not_found, server.busy, event_id.malformed, those of the store.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "app/log_reader.hpp"
#include "app/pipeline.hpp"

namespace soma::app {

class services;

struct events_question {
  session_id session;
  std::optional<event_id> after, before;
  bool after_end = false;      // after what is there now
  std::size_t events_max = 0;  // of the page
  std::uint32_t types = 0;     // as in read_options
  bool compact = false;
};

struct events_page {
  std::vector<stored_event> events;  // oldest first
  std::optional<event_id> next;      // where the next page begins; none: this was the last
  std::shared_ptr<void> place;       // among those that are made; held until it is sent
};

// Backwards from `before` where `after` is not given.
boost::asio::awaitable<result<events_page>> read_events(services& s, const caller& who,
                                                        events_question asked);

struct stream_ticket {
  std::string ticket;
  std::int64_t expires_at_ms = 0;
};
boost::asio::awaitable<result<stream_ticket>> create_ticket(services& s, const admitted& in,
                                                            session_id session);

}  // namespace soma::app
