#include "app/door_board.hpp"

namespace soma::app {

void door_board::put(const std::string& name, door_state now) {
  const std::lock_guard lock(mutex_);
  states_.insert_or_assign(name, std::move(now));
}

std::map<std::string, door_state> door_board::all() const {
  const std::lock_guard lock(mutex_);
  return states_;
}

}  // namespace soma::app
