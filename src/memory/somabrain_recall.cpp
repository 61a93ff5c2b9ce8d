#include "memory/somabrain_recall.hpp"

#include <chrono>

namespace soma::memory {
namespace {

std::int64_t steady_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace

remote_answer somabrain_recall::ask(const tenant_id& tenant, std::string_view query,
                                    std::size_t items_max, std::int64_t ms) {
  remote_answer out;
  {
    const std::lock_guard lock(mutex_);
    if (steady_ms() < not_before_ms_) {
      out.why = "SomaBrain is away";
      return out;
    }
  }
  auto found = client_.recall(tenant, query, items_max, ms);
  const std::lock_guard lock(mutex_);
  if (!found) {
    // So little may be too little for one that is well.
    if (ms >= judged_ms_min && ++failures_ >= failures_max)
      not_before_ms_ = steady_ms() + left_alone_ms_;
    out.why = found.error().detail;
    return out;
  }
  failures_ = 0;
  out.ids = std::move(found->ids);
  out.why = std::move(found->why);
  return out;
}

}  // namespace soma::memory
