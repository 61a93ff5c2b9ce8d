#include "security/audit/audit_refusals.hpp"

#include <iterator>
#include <limits>

#include "security/peer_network.hpp"

namespace soma::security {
namespace {

std::string network_in(std::string_view data_json) {
  constexpr std::string_view name = "\"peer\":\"";
  const auto at = data_json.find(name);
  if (at == data_json.npos) return {};
  const auto from = at + name.size();
  return network_of(data_json.substr(from, data_json.find('"', from) - from)).own;
}

std::string kind_of(const audit_record& r) {
  std::string out;
  for (const auto part : {r.what, r.operation, r.why, r.outcome, r.tenant_id, r.user_id, r.role,
                          r.key_id, r.door, r.resource, r.session_id})
    out.append(part).push_back('\n');
  return out + network_in(r.data_json);
}

// Of those that differ in more than is told apart.
audit_record nobody_of(const audit_record& r) {
  audit_record out;
  out.what = r.what;
  out.door = r.door;
  out.outcome = r.outcome;
  return out;
}

}  // namespace

bool audit_refusals::take(const audit_record& what, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  if (now - since_ms_ >= window_ms) {
    since_ms_ = now;
    singles_ = 0;
  }
  auto name = kind_of(what);
  auto at = kinds_.find(name);
  const bool is_other = at == kinds_.end() && kinds_.size() >= kinds_max;
  if (at == kinds_.end() && !is_other) at = kinds_.emplace(std::move(name), kind{now}).first;
  auto& one = is_other ? others_ : at->second;
  if (now - one.since_ms >= window_ms && one.more == 0) one = kind{now};
  if (one.single < each_max && singles_ < singles_max) {
    ++one.single;
    ++singles_;
    return true;
  }
  ++one.more;
  auto shown = is_other ? nobody_of(what) : what;
  // The address stays: it may be all that is known.
  auto data = is_other ? std::string() : std::string(what.data_json);
  if (!data.empty()) data += ',';
  data += "\"repeated\":" + std::to_string(one.more);
  shown.data_json = data;
  one.last = audit_line(shown, now);
  return false;
}

std::vector<std::string> audit_refusals::counted(std::int64_t now) {
  return counted_before(now, now - window_ms);
}

std::vector<std::string> audit_refusals::rest(std::int64_t now) {
  return counted_before(now, std::numeric_limits<std::int64_t>::max());
}

std::vector<std::string> audit_refusals::counted_before(std::int64_t now, std::int64_t begun) {
  std::vector<std::string> out;
  const std::lock_guard lock(mutex_);
  const auto tell = [&](kind& one) {
    if (one.since_ms > begun) return false;
    if (one.more == 0) return true;
    out.push_back(std::move(one.last));
    one = kind{now, each_max};  // it goes on being counted while it goes on
    return false;
  };
  for (auto at = kinds_.begin(); at != kinds_.end();)
    at = tell(at->second) ? kinds_.erase(at) : std::next(at);
  (void)tell(others_);
  return out;
}

}  // namespace soma::security
