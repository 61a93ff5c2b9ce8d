// Who looks at memories, and whether he may see one: the one place that decides it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/ids.hpp"
#include "memory/item.hpp"

namespace soma::memory {

struct viewer {
  tenant_id tenant;
  user_id user;
  bool sees_all = false;  // an admin, who asks for himself
};

// Port: who sees which session. Thread-safe; blocks on the disk.
class session_sight {
 public:
  virtual ~session_sight() = default;
  // None: there is no such session.
  virtual std::optional<bool> sees(const tenant_id& tenant, std::string_view user,
                                   std::string_view session) const = 0;
};

// What one viewer sees, asked for many items in turn: memories follow their session; those of no
// session, and of one that is gone, are their owner's. Without `sessions` all are. A value of one
// thread; blocks on the disk.
class sight {
 public:
  sight(const session_sight* sessions, const viewer& who) : sessions_(sessions), who_(who) {}

  // `owner` and `session` are the item's.
  bool operator()(std::string_view owner, std::string_view session) {
    if (who_.sees_all) return true;
    std::optional<bool> seen;
    if (sessions_ && !session.empty() && session != no_session) seen = of(session);
    return seen ? *seen : !owner.empty() && owner == who_.user.value;
  }

 private:
  std::optional<bool> of(std::string_view session) {
    if (session == last_) return last_seen_;  // items of a session stand together
    const auto [at, is_new] = known_.try_emplace(std::string(session));
    if (is_new) at->second = sessions_->sees(who_.tenant, who_.user.value, session);
    last_ = at->first;
    return last_seen_ = at->second;
  }

  const session_sight* const sessions_;
  const viewer& who_;
  std::unordered_map<std::string, std::optional<bool>> known_;
  std::string_view last_;
  std::optional<bool> last_seen_;
};

}  // namespace soma::memory
