// The imports of this node that are being written.
#pragma once

#include <mutex>
#include <set>

#include "core/ids.hpp"
#include "core/tenant_places.hpp"

namespace soma::app {

// Which documents are being taken in, and for whom: one that is sent twice at a time would become
// two sessions. A place among them is for what is here whole: no slow sender holds one.
// Thread-safe.
class imports_under_way {
 public:
  tenant_places places{4, 8};

  bool enter(const session_key& key) {
    std::lock_guard lock(mutex_);
    return keys_.insert(key).second;
  }
  void leave(const session_key& key) {
    std::lock_guard lock(mutex_);
    keys_.erase(key);
  }

 private:
  std::mutex mutex_;
  std::set<session_key> keys_;
};

}  // namespace soma::app
