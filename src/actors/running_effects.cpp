#include "actors/running_effects.hpp"

#include <algorithm>
#include <cstddef>
#include <unordered_map>

#include "core/may_block.hpp"

namespace soma::actors {

struct running_effects::table {
  quick_mutex mutex;
  std::unordered_map<session_key, std::size_t> running;
};

running_effects::running_effects() : table_(std::make_shared<table>()) {}

running_effects::token running_effects::begin(const session_key& key) {
  {
    const std::lock_guard lock(table_->mutex);
    ++table_->running[key];
  }
  // Its end is that of its last copy.
  return {static_cast<const void*>(table_.get()), [all = table_, key](const void*) {
            const std::lock_guard lock(all->mutex);
            const auto at = all->running.find(key);
            if (at != all->running.end() && --at->second == 0) all->running.erase(at);
          }};
}

bool running_effects::none_of(const std::function<bool(const session_key&)>& which) const {
  const std::lock_guard lock(table_->mutex);
  return std::none_of(table_->running.begin(), table_->running.end(),
                      [&](const auto& one) { return which(one.first); });
}

}  // namespace soma::actors
