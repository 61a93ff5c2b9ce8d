#include "replication/log_doubt.hpp"

namespace soma::replication {
namespace {

// Ends grow while others write, and are named only where they decide.
std::string said_of(const kafka::seen_log& seen, std::int64_t place, bool holds) {
  if (seen.what == kafka::seen_log::answer::no_log)
    return "there is no such topic or partition, or it may not be read";
  if (seen.first > place) return "the log begins behind the place up to which it was read";
  if (seen.end < place + (holds ? 1 : 0))
    return "the log ends at " + std::to_string(seen.end) +
           ", before the place up to which it was read";
  return "the place is there, and cannot be read";
}

}  // namespace

log_doubt::verdict log_doubt::looked(std::int64_t now_ms, const kafka::seen_log& seen,
                                     std::int64_t place, bool holds) {
  using answer = kafka::seen_log::answer;
  if (seen.what == answer::none) {
    looks_ = 0;
    return verdict::wait;
  }
  auto said = said_of(seen, place, holds);
  if (looks_ == 0 || said != said_) {
    looks_ = 0;
    same_since_ms_ = now_ms;
  }
  said_ = std::move(said);
  ++looks_;
  if (looks_ >= rules_.looks_min && now_ms - same_since_ms_ >= rules_.lost_after_ms)
    return verdict::lost;
  const bool there =
      seen.what == answer::its_ends && seen.first <= place && seen.end >= place + (holds ? 1 : 0);
  if (!there || (begun_ms_ && now_ms - *begun_ms_ < rules_.begun_again_every_ms))
    return verdict::wait;
  begun_ms_ = now_ms;
  return verdict::begin_again;
}

}  // namespace soma::replication
