#include "llm/name_lookup.hpp"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

namespace soma::llm {

namespace asio = boost::asio;

name_lookups::name_lookups(resolver find, std::size_t threads, std::size_t a_tenant)
    : find_(std::move(find)), threads_(threads), a_tenant_(a_tenant) {}

name_lookups::~name_lookups() {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(wanted_, [](const look_up& one) { return !one.running; });
  }
  if (pool_) pool_->join();
}

void name_lookups::find(const std::string& tenant, const std::string& host, on_found told) {
  const std::lock_guard lock(mutex_);
  const auto same = std::find_if(wanted_.begin(), wanted_.end(), [&](const look_up& one) {
    return one.tenant == tenant && one.host == host;
  });
  if (same != wanted_.end()) return same->told.push_back(std::move(told));
  wanted_.push_back({tenant, host, {}});
  wanted_.back().told.push_back(std::move(told));
  begin_some();
}

void name_lookups::begin_some() {
  for (auto at = wanted_.begin(); at != wanted_.end() && all_running_ < threads_; ++at) {
    if (at->running || running_[at->tenant] >= a_tenant_) continue;
    at->running = true;
    ++running_[at->tenant];
    ++all_running_;
    if (!pool_) pool_.emplace(threads_);
    asio::post(*pool_, [this, at] { run(at); });
  }
}

void name_lookups::run(place at) {
  const auto found = find_(at->host);
  std::vector<on_found> told;
  {
    const std::lock_guard lock(mutex_);
    told = std::move(at->told);
    if (const auto of = running_.find(at->tenant); --of->second == 0) running_.erase(of);
    --all_running_;
    wanted_.erase(at);
    begin_some();
  }
  for (const auto& one : told) one(found);
}

found_addresses name_lookups::by_the_system(const std::string& host) {
  asio::io_context none;
  asio::ip::tcp::resolver resolver(none);
  found_addresses out;
  for (const auto& entry : resolver.resolve(host, "", out.failed))
    out.all.push_back(entry.endpoint().address());
  return out;
}

}  // namespace soma::llm
