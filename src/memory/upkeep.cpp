#include "memory/upkeep.hpp"

namespace soma::memory {

upkeep::upkeep(memories& kept, knowledge& shelf, upkeep_options how)
    : memories_(kept), knowledge_(shelf), options_(std::move(how)), thread_([this] { run(); }) {}

void upkeep::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool upkeep::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void upkeep::run() {
  std::string told;
  for (;;) {
    const auto done = one_round();
    auto why = done ? std::string() : done.error().detail;
    if (!why.empty() && why != told && options_.on_notice) options_.on_notice(why);
    told = std::move(why);
    std::unique_lock lock(mutex_);
    if (stopped_.wait_for(lock, options_.every, [this] { return stopping_; })) return;
  }
}

result<void> upkeep::one_round() {
  if (!memories_.keeps_documents()) {
    finished_forgetting_ = false;  // by whoever does now
    return {};
  }
  if (!finished_forgetting_) {
    if (auto done = knowledge_.finish_forgetting(); !done) return done.error();
    finished_forgetting_ = true;
  }
  // While the index is made it does not know them all; nobody is told of them meanwhile.
  if (!memories_.degraded().empty()) return {};
  for (std::size_t n = 0; n < options_.batches_a_round && !stopping(); ++n) {
    const auto swept = memories_.sweep_expired(options_.items_at_once);
    if (!swept) return swept.error();
    if (*swept < options_.items_at_once) break;
    memories_.catch_up();  // or the same would be found again
  }
  return {};
}

}  // namespace soma::memory
