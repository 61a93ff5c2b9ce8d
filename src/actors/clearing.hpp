// What ends or empties a session without knowing what its log says: for one whose log cannot be
// read, or whose incarnations fail. Pure.
#pragma once

#include <cstdint>

#include "actors/interfaces.hpp"

namespace soma::actors {

// Whether the command needs nothing of the session but its head.
bool clears(const session_command& command);

struct cleared_session {
  storage::append_op op;
  command_reply reply;
};
// `command` clears; `head` is the session's.
cleared_session clear_session(const session_command& command, const storage::session_head& head,
                              std::uint32_t epoch, std::int64_t now_ms);

}  // namespace soma::actors
