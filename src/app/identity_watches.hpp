// Doors hold things open for whom they let in, such as streams: each is told of an identity that is
// removed, by whichever door it was removed, and of a session that others see from now on.
//
// Thread-safe. A watch is added before its door opens and removed when none of its things are left;
// it is told on the removing thread, must not block, and may not add or remove one.
#pragma once

#include <vector>

#include "app/visibility.hpp"
#include "core/may_block.hpp"
#include "security/identity/identity.hpp"

namespace soma::app {

class identity_watch {
 public:
  virtual ~identity_watch() = default;
  virtual void gone(const security::gone_identity& who) = 0;
  virtual void sight_changed(const session_key& key, const session_fact& now) = 0;
};

class services;
class identity_watches;
// Of all doors.
identity_watches& watches_of(services& s);

class identity_watches {
 public:
  void add(identity_watch& one) {
    const std::lock_guard lock(mutex_);
    all_.push_back(&one);
  }
  void remove(identity_watch& one) {
    const std::lock_guard lock(mutex_);
    std::erase(all_, &one);
  }
  void gone(const security::gone_identity& who) {
    const std::lock_guard lock(mutex_);
    for (auto* one : all_) one->gone(who);
  }
  void sight_changed(const session_key& key, const session_fact& now) {
    const std::lock_guard lock(mutex_);
    for (auto* one : all_) one->sight_changed(key, now);
  }

 private:
  quick_mutex mutex_;
  std::vector<identity_watch*> all_;
};

}  // namespace soma::app
