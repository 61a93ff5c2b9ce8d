// Writes the copy of a session's past so that it appears whole or not at all: events are copied and
// encoded on a lane, in pieces between which others have their turn there, staged in pieces through
// the event writer, and published by one append. Used by one request's coroutine, on its io thread.
//
// Lifetime: the services outlive it. What was staged and not published is removed by `discard`, or
// by the next start of the server.
#pragma once

#include <functional>
#include <memory>

#include "app/services.hpp"
#include "core/session_copy.hpp"

namespace soma::app {

class session_stager {
 public:
  using taker = std::function<void(event)>;
  // Gives the next events of the source; true at the end. Runs on the lane, and owns what it uses.
  using source = std::function<result<bool>(const taker& take)>;

  // `reads`: the lane for what the source does.
  session_stager(services& s, std::size_t io_thread, copy_options options, lane& reads);

  // Errors: those of the source, of event_log::stage, server.busy.
  boost::asio::awaitable<result<void>> copy_all(source next);

  // Which attachments that its messages name the copy has; otherwise all. Runs on the lane. Errors:
  // those of `which`.
  using use_filter = std::function<result<bool>(std::string_view id)>;
  boost::asio::awaitable<result<void>> keep_uses(use_filter which);

  // The list entry of the copy.
  storage::session_info info() const;
  event_id last_id() const;

  // Makes the staged events the session `info` describes, in one atom with `record`, if it has a
  // key, and with `documents`.
  boost::asio::awaitable<result<void>> publish(storage::session_info info,
                                               storage::idempotency_record record,
                                               std::vector<storage::document_row> documents = {});

  boost::asio::awaitable<void> discard();

 private:
  struct work;
  boost::asio::awaitable<result<void>> stage_ready();
  boost::asio::awaitable<result<void>> run_on_writer(
      std::function<result<void>(storage::event_log&)> what);

  services& s_;
  lane& lane_;
  actor_bridge& bridge_;
  session_key to_;
  const std::uint32_t epoch_;   // of the copy's events
  std::shared_ptr<work> work_;  // shared with the lane, one user at a time
};

}  // namespace soma::app
