#include "security/audit/audit_refusals.hpp"

namespace soma::security {
namespace {

std::string kind_of(const audit_record& r) {
  std::string out;
  for (const auto part :
       {r.what, r.operation, r.why, r.outcome, r.tenant_id, r.user_id, r.role, r.key_id, r.door})
    out.append(part).push_back('\n');
  return out;
}

}  // namespace

bool audit_refusals::take(const audit_record& what, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  const auto at = kinds_.find(kind_of(what));
  if (at == kinds_.end()) {
    // Where there are as many, whoever comes is counted with nobody.
    if (kinds_.size() < kinds_max) kinds_[kind_of(what)] = kind{now, 1, 0, {}};
    return true;
  }
  auto& one = at->second;
  if (now - one.since_ms >= window_ms && one.more == 0) one = kind{now, 0, 0, {}};
  if (one.single < each_max) {
    ++one.single;
    return true;
  }
  ++one.more;
  auto shown = what;
  const auto data = "\"repeated\":" + std::to_string(one.more);
  shown.data_json = data;
  one.last = audit_line(shown, now);
  return false;
}

std::vector<std::string> audit_refusals::counted(std::int64_t now) {
  std::vector<std::string> out;
  const std::lock_guard lock(mutex_);
  for (auto at = kinds_.begin(); at != kinds_.end();) {
    auto& one = at->second;
    if (now - one.since_ms < window_ms) {
      ++at;
      continue;
    }
    if (one.more > 0) {
      out.push_back(std::move(one.last));
      one = kind{now, each_max, 0, {}};  // it goes on being counted while it goes on
      ++at;
    } else {
      at = kinds_.erase(at);
    }
  }
  return out;
}

}  // namespace soma::security
