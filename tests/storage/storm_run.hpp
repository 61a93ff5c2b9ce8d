// A storm on a store on disk, followed by a log in memory: after whatever happens to the disk, the
// store must hold what the twin holds after one of the steps that it may have reached.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storm.hpp"

namespace soma::storage::testing {

class storm_twin {
 public:
  // A step that may have reached the disk. `synced`: it was acknowledged, and must be there.
  void tried(storm_step step) { uncertain_.push_back(std::move(step)); }
  void acknowledged(bool synced) {
    if (synced) certain_ = uncertain_.size();
  }
  // The step just tried was refused and must never be there.
  void refused() { uncertain_.pop_back(); }

  // Finds the step at which the twin holds what `found` says, and stays there; else tells how it
  // differs from what was acknowledged.
  std::string settle(const std::string& found) {
    storm work(0);
    std::string differs;
    for (std::size_t n = 0; n <= uncertain_.size(); ++n) {
      if (n > 0) work.apply(uncertain_[n - 1], *log_);
      if (n < certain_) continue;
      const auto here = difference(dump(*log_), found);
      if (here.empty()) {
        uncertain_.clear();
        certain_ = 0;
        return {};
      }
      if (differs.empty()) differs = here;
    }
    return differs;
  }
  void reopened() { drop_stages(*log_); }
  const event_log& log() const { return *log_; }

 private:
  std::unique_ptr<event_log> log_ = make_memory_event_log(1, storm_event_bytes_max);
  std::vector<storm_step> uncertain_;  // steps since the twin was settled
  std::size_t certain_ = 0;            // so many of them must be there
};

}  // namespace soma::storage::testing
