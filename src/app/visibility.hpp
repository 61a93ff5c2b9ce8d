// Who may see a session, and who may share or end it: the one rule, whichever door asks, and
// whichever part of a session is asked for. See docs/decisions/0195-a-session-has-an-owner.md.
// Pure.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "app/caller.hpp"
#include "app/log_reader.hpp"
#include "core/sharing.hpp"
#include "tools/attachments.hpp"

namespace soma::app {

// What is known of a session besides its log.
struct session_fact {
  std::string owner;  // user_id of who made it; empty: nobody knows
  sharing shared{};

  bool operator==(const session_fact&) const = default;
};
using known_fact = std::shared_ptr<const session_fact>;  // null: there is no such session

inline session_fact fact_of(const session_info& info) {
  return {info.user_id, info.sharing};
}

// Whether all sessions of its tenant are open to the caller.
inline bool sees_all(const caller& who) {
  return who.role == role::admin || who.role == role::internal;
}

// A user's own sessions, those that are shared with him, and those that the tenant sees. One whose
// owner nobody knows is for admins.
inline bool may_see(std::string_view user, std::string_view owner, const sharing& shared) {
  if (user.empty()) return false;
  return shared.visible_to_tenant || user == owner ||
         std::find(shared.users.begin(), shared.users.end(), user) != shared.users.end();
}
inline bool may_see(std::string_view user, const session_fact& of) {
  return may_see(user, of.owner, of.shared);
}
inline bool may_see(const caller& who, const session_fact& of) {
  return sees_all(who) || may_see(who.user.value, of);
}

// As the store of attachments knows him.
inline tools::attachment_reader attachment_reader_of(const caller& who) {
  return {who.tenant, who.user.value, sees_all(who)};
}

// What ends a session, or says who sees it, is for its owner and admins; what else is done in it,
// for whoever sees it.
inline bool is_for_owners(std::string_view action) {
  return action == "conversation.delete" || action == "conversation.share";
}
inline bool owns(const caller& who, const session_fact& of) {
  return sees_all(who) || (!of.owner.empty() && of.owner == who.user.value);
}

}  // namespace soma::app
