// What doors to Kafka say of themselves, for health: each by its topic's name. Thread-safe; never
// blocks for long. Lifetime: outlives the doors and who looks.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace soma::app {

struct door_state {
  std::string trouble;  // a sentence; empty: it works
  std::vector<std::pair<std::string_view, double>> figures;
};

class door_board {
 public:
  void put(const std::string& name, door_state now);
  std::map<std::string, door_state> all() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, door_state> states_;
};

}  // namespace soma::app
