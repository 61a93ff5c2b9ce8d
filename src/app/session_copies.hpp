// Use cases of a session's past taken elsewhere: fork, export, import. A copy appears whole or not
// at all, and is at rest. See
// docs/decisions/0060-a-copied-session-is-staged-and-at-rest.md.
//
// Each runs on its caller's io thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "app/body_source.hpp"
#include "app/conversations.hpp"
#include "app/piece_source.hpp"

namespace soma::app {

// Errors: event_id.malformed, event.not_found, session.not_found, those of the idempotency gate.
boost::asio::awaitable<result<answered<conversation>>> fork_session(services& s, const admitted& in,
                                                                    once_key key, session_id from,
                                                                    std::string event_id_text);

// The document is made line by line (session_document.hpp) and, after a failure, to be cut off
// before its last line. Attachments that the caller may not read are left out. Errors:
// session.not_found, server.busy.
boost::asio::awaitable<result<std::shared_ptr<piece_source>>> export_session(services& s,
                                                                             const admitted& in,
                                                                             session_id session);

struct imported_session {
  session_id session;
  std::uint64_t events = 0;
  bool created = true;  // false: it is there already, from the same document
};

// `body` is spooled and checked before anything else is done. `refused_line`: the line that
// import.invalid and event.too_large are about. Errors: those, server.busy, those of the
// idempotency gate and of the store.
boost::asio::awaitable<result<answered<imported_session>>> import_session(
    services& s, const admitted& in, once_key key, body_source* body, std::uint64_t& refused_line);

}  // namespace soma::app
