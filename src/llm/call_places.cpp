#include "llm/call_places.hpp"

#include <algorithm>
#include <utility>

namespace soma::llm {
namespace {

// Few places are all anybody's: those of a small model of one's own, say.
constexpr std::size_t shared_from = 16;

std::size_t share_of(std::size_t all) {
  return all < shared_from ? all : all - all / 4;
}

std::size_t count_in(const std::map<std::string, std::size_t>& of, const std::string& tenant) {
  const auto at = of.find(tenant);
  return at == of.end() ? 0 : at->second;
}

void one_less(std::map<std::string, std::size_t>& of, const std::string& tenant) {
  if (const auto at = of.find(tenant); --at->second == 0) of.erase(at);
}

}  // namespace

std::optional<call_places::entered> call_places::enter(claim wanted) {
  std::lock_guard lock(mutex_);
  const auto at = providers_.find(wanted.provider);
  // Nobody passes those who wait, but for tenants that have their share already.
  const bool now = at == providers_.end() ? room_for(wanted.tenant, {})
                                          : room_for(wanted.tenant, at->second) &&
                                                !at->second.waiting.count(wanted.tenant);
  if (!now && !may_wait(wanted)) return std::nullopt;
  const auto mine = ++last_;
  if (now) {
    runs(wanted, providers_[wanted.provider]);
  } else {
    queue(mine, wanted);
  }
  entries_.emplace(mine, entry{std::move(wanted), now});
  tell();
  return entered{mine, now};
}

void call_places::leave(ticket which) {
  std::vector<std::function<void()>> go;
  {
    std::lock_guard lock(mutex_);
    const auto at = entries_.find(which);
    if (at == entries_.end()) return;
    const entry left = std::move(at->second);
    entries_.erase(at);
    if (left.running) {
      ran(left.what, providers_[left.what.provider]);
    } else {
      unqueue(which, left.what);
    }
    go = fill();
    tell();
    const auto provider = providers_.find(left.what.provider);
    if (provider->second.running == 0 && provider->second.turns.empty()) providers_.erase(provider);
  }
  for (const auto& begin : go) begin();
}

place_counts call_places::now() const {
  std::lock_guard lock(mutex_);
  return {running_, waiting_};
}

std::size_t call_places::waiting_of(const std::string& tenant) const {
  std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [name, provider] : providers_)
    if (const auto at = provider.waiting.find(tenant); at != provider.waiting.end())
      for (const auto& [who, tickets] : at->second.waiting) count += tickets.size();
  return count;
}

void call_places::tell() const {
  if (limits_.on_change) limits_.on_change({running_, waiting_});
}

bool call_places::room_for(const std::string& tenant, const provider_queue& provider) const {
  return running_ < limits_.a_node && provider.running < limits_.a_provider &&
         count_in(running_of_, tenant) < share_of(limits_.a_node) &&
         count_in(provider.running_of, tenant) < share_of(limits_.a_provider);
}

void call_places::runs(const claim& one, provider_queue& at) {
  ++running_;
  ++at.running;
  ++running_of_[one.tenant];
  ++at.running_of[one.tenant];
}

void call_places::ran(const claim& one, provider_queue& at) {
  --running_;
  --at.running;
  one_less(running_of_, one.tenant);
  one_less(at.running_of, one.tenant);
}

bool call_places::may_wait(const claim& wanted) const {
  const auto at = waiting_bytes_of_.find(wanted.tenant);
  const auto theirs = at == waiting_bytes_of_.end() ? 0 : at->second;
  return waiting_ < limits_.waiting_max &&
         waiting_bytes_ + wanted.bytes <= limits_.waiting_bytes_max &&
         theirs + wanted.bytes <= limits_.waiting_bytes_max / 2;
}

void call_places::no_longer_waits(const claim& one) {
  --waiting_;
  if (one.bytes == 0) return;
  waiting_bytes_ -= one.bytes;
  const auto at = waiting_bytes_of_.find(one.tenant);
  if ((at->second -= one.bytes) == 0) waiting_bytes_of_.erase(at);
}

void call_places::queue(ticket which, const claim& wanted) {
  auto& provider = providers_[wanted.provider];
  auto [tenant, new_tenant] = provider.waiting.try_emplace(wanted.tenant);
  if (new_tenant) provider.turns.push_back(wanted.tenant);
  auto [who, new_one] = tenant->second.waiting.try_emplace(wanted.who);
  if (new_one) tenant->second.turns.push_back(wanted.who);
  who->second.push_back(which);
  ++waiting_;
  if (wanted.bytes == 0) return;
  waiting_bytes_ += wanted.bytes;
  waiting_bytes_of_[wanted.tenant] += wanted.bytes;
}

void call_places::unqueue(ticket which, const claim& wanted) {
  auto& provider = providers_[wanted.provider];
  const auto tenant = provider.waiting.find(wanted.tenant);
  auto& all = tenant->second;
  const auto who = all.waiting.find(wanted.who);
  std::erase(who->second, which);
  no_longer_waits(wanted);
  if (!who->second.empty()) return;
  all.waiting.erase(who);
  std::erase(all.turns, wanted.who);
  if (!all.waiting.empty()) return;
  provider.waiting.erase(tenant);
  std::erase(provider.turns, wanted.tenant);
}

// The first of whoever's turn it is, whose next turn is then the last. None where all who wait have
// their share.
std::optional<call_places::ticket> call_places::next_of(provider_queue& provider) {
  const auto turn = std::find_if(provider.turns.begin(), provider.turns.end(),
                                 [&](const auto& one) { return room_for(one, provider); });
  if (turn == provider.turns.end()) return std::nullopt;
  const auto tenant_name = std::move(*turn);
  provider.turns.erase(turn);
  const auto tenant = provider.waiting.find(tenant_name);
  auto& all = tenant->second;
  const auto who_name = std::move(all.turns.front());
  all.turns.pop_front();
  const auto who = all.waiting.find(who_name);
  const auto next = who->second.front();
  who->second.pop_front();
  no_longer_waits(entries_.at(next).what);
  if (who->second.empty())
    all.waiting.erase(who);
  else
    all.turns.push_back(who_name);
  if (all.waiting.empty())
    provider.waiting.erase(tenant);
  else
    provider.turns.push_back(tenant_name);
  return next;
}

// Providers by turns, too, where the node's bound is what they wait for.
std::vector<std::function<void()>> call_places::fill() {
  std::vector<std::function<void()>> go;
  for (std::size_t without = 0; without < providers_.size() && running_ < limits_.a_node;) {
    auto at = providers_.upper_bound(served_);
    if (at == providers_.end()) at = providers_.begin();
    served_ = at->first;
    auto& provider = at->second;
    const auto which = next_of(provider);
    if (!which) {
      ++without;
      continue;
    }
    without = 0;
    auto& next = entries_.at(*which);
    next.running = true;
    runs(next.what, provider);
    go.push_back(std::exchange(next.what.go, {}));
  }
  return go;
}

}  // namespace soma::llm
