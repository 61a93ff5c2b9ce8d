// Use cases of conversations: made, listed, shown, renamed, paused, reset, deleted; what was said
// in them, and what a model is told of it. Each runs on its caller's io thread.
//
// Errors: those of the session's command, session.not_found, server.busy where much is asked for
// already, and those of the idempotency gate.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "app/log_reader.hpp"
#include "app/once.hpp"
#include "app/piece_source.hpp"
#include "app/pipeline.hpp"
#include "core/context.hpp"
#include "core/session_core.hpp"
#include "core/sharing.hpp"

namespace soma::app {

class services;

struct conversation {
  session_id session;
  session_head head;
};

boost::asio::awaitable<result<answered<conversation>>> create_conversation(services& s,
                                                                           const admitted& in,
                                                                           once_key key,
                                                                           input::open wanted);

// Those that the caller may see. A page is full where there are more, but for one that looked
// through much (page_filling.hpp), or has its bytes: that is short, or empty, and not the last.
// `enough`: who needs no full page is given one that has so many.
boost::asio::awaitable<result<session_list_page>> list_conversations(services& s, const caller& who,
                                                                     session_list_options options,
                                                                     std::size_t enough = SIZE_MAX);

boost::asio::awaitable<result<conversation>> find_conversation(services& s, const caller& who,
                                                               session_id session);

// What is not given stays; all at once. Errors: policy.denied where sharing is not the caller's to
// change; request.invalid.
struct conversation_change {
  std::optional<std::string> title{};
  sharing_change sharing{};
};
boost::asio::awaitable<result<conversation>> change_conversation(services& s, admitted& in,
                                                                 session_id session,
                                                                 conversation_change wanted);

// With what is remembered of it, unless that is kept.
boost::asio::awaitable<result<void>> delete_conversation(services& s, const admitted& in,
                                                         session_id session,
                                                         bool keep_memories = false);

// Gives the event that says so.
boost::asio::awaitable<result<event_id>> reset_conversation(services& s, const admitted& in,
                                                            session_id session);

struct pause_outcome {
  bool paused = false;
  event_id event;  // the last one where it was so already
};
boost::asio::awaitable<result<pause_outcome>> pause_conversation(services& s, const admitted& in,
                                                                 session_id session, bool paused);

// A conversation as Markdown, made while it is sent.
class history_source : public piece_source {
 public:
  virtual bool over() const = 0;             // nothing more comes
  virtual std::uint64_t tokens() const = 0;  // of what came
  virtual event_id last() const = 0;
};
boost::asio::awaitable<result<std::shared_ptr<history_source>>> read_history(services& s,
                                                                             const caller& who,
                                                                             session_id session);

struct context_window {
  model_context context;
  std::uint64_t tokens_max = 0;  // of the model
  std::shared_ptr<void> place;   // among those that are made; held until the answer is
};
boost::asio::awaitable<result<context_window>> read_context_window(services& s, const caller& who,
                                                                   session_id session);

}  // namespace soma::app
