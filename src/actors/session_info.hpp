// A session's list entry, as it follows from its fold. Pure.
#pragma once

#include "core/session_state.hpp"
#include "storage/event_log.hpp"

namespace soma::actors {

inline storage::session_info info_of(const session_state& state) {
  storage::session_info info;
  info.title = state.title;
  info.persona_id = state.persona_id;
  info.user_id = state.owner;
  info.sharing = state.sharing;
  info.created_at_ms = state.created_at_ms;
  info.updated_at_ms = state.updated_at_ms;
  info.message_count = state.message_count;
  info.paused = state.paused;
  info.busy = state.busy();
  return info;
}

// Whether that is what `info_of` gives, without making it: asked for every append.
inline bool tells(const storage::session_info& info, const session_state& state) {
  return info.title == state.title && info.persona_id == state.persona_id &&
         info.user_id == state.owner && info.sharing == state.sharing &&
         info.created_at_ms == state.created_at_ms && info.updated_at_ms == state.updated_at_ms &&
         info.message_count == state.message_count && info.paused == state.paused &&
         info.busy == state.busy();
}

}  // namespace soma::actors
