// Use cases of what is said in a conversation: a message, an action on what runs, an application's
// own event, a rating. Each runs on its caller's io thread.
//
// Errors: those of the session's command and of the idempotency gate; attachment.not_found,
// policy.denied and dependency.unavailable about attachments; event.name_reserved.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "app/once.hpp"
#include "app/pipeline.hpp"
#include "core/session_core.hpp"

namespace soma::app {

class services;

struct new_message {
  session_id session;  // empty: one is made for it
  std::string persona_id, text;
  std::vector<std::string> attachments;  // ids
};

// What both message routes do: one operation, whichever of them a key came by.
boost::asio::awaitable<result<answered<command_reply>>> send_message(services& s,
                                                                     const admitted& in,
                                                                     once_key key,
                                                                     new_message wanted);

// The id by which the answer to a message names what was queued for it.
std::string envelope_id(const command_reply& reply);

struct session_action {
  session_id session;
  std::string action;        // stop, pause, resume, retry, summarize, nudge, restart
  std::string tool_call_id;  // that is to be stopped alone; may be empty
};
boost::asio::awaitable<result<command_reply>> act_on_session(services& s, const admitted& in,
                                                             session_action wanted);

boost::asio::awaitable<result<answered<event_id>>> append_event(services& s, const admitted& in,
                                                                once_key key, session_id session,
                                                                input::app_event event);

boost::asio::awaitable<result<answered<command_reply>>> give_feedback(
    services& s, const admitted& in, once_key key, session_id session, feedback said);

}  // namespace soma::app
