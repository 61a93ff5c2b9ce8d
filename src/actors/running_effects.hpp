// What runs here in sessions' stead and must not run twice: incarnations, their calls of tools and
// of models. Each holds a token until its last part is gone, on whatever thread. Asked before a
// partition is released to another node, which acts at once behind that.
//
// Thread-safe; nothing waits. Tokens may outlive it.
#pragma once

#include <functional>
#include <memory>

#include "core/ids.hpp"

namespace soma::actors {

class running_effects {
 public:
  using token = std::shared_ptr<const void>;

  running_effects();

  token begin(const session_key& key);
  // Of these sessions nothing runs. `which` is called under a lock, and must not wait.
  bool none_of(const std::function<bool(const session_key&)>& which) const;

 private:
  struct table;
  const std::shared_ptr<table> table_;
};

}  // namespace soma::actors
