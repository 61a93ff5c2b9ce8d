#include "peers/membership_core.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace soma::peers {

using cluster::log_offset;
using cluster::partition_view;

namespace {

constexpr log_offset never_near = std::numeric_limits<log_offset>::min() / 2;

}  // namespace

std::string_view to_string(peer_state state) {
  switch (state) {
    case peer_state::here: return "here";
    case peer_state::doubted: return "doubted";
    case peer_state::beyond: return "beyond";
    case peer_state::down: break;
  }
  return "down";
}

membership_core::membership_core(const membership_rules& rules, std::string self,
                                 std::uint64_t incarnation, std::int64_t now_ms)
    : rules_(rules),
      self_(std::move(self)),
      incarnation_(incarnation),
      began_ms_(now_ms),
      ranks_(rules.partitions),
      changed_ms_(now_ms) {}

// Names of the dead are kept to be told of, while there is room.
bool membership_core::make_room() {
  const auto dead = std::find_if(peers_.begin(), peers_.end(), [](const auto& one) {
    return one.second.state == peer_state::down;
  });
  if (dead == peers_.end()) return false;
  peers_.erase(dead);
  return true;
}

bool membership_core::heard(const heard_from& said, std::int64_t now_ms) {
  if (said.node == self_ || said.node.empty() || said.next.size() != rules_.partitions)
    return false;
  if (said.sees.size() > nodes_max || said.owns.size() > rules_.partitions) return false;
  auto at = peers_.find(said.node);
  if (at == peers_.end()) {
    if (peers_.size() + 1 >= nodes_max && !make_room()) return false;
    at = peers_.emplace(said.node, peer()).first;
    at->second.state = peer_state::down;
  }
  auto& one = at->second;
  // A process that owns something has claimed it itself, by now: only what the one before it had is
  // nobody's, and what that was is known to the log alone.
  const bool took_over = !said.owns.empty();
  // An earlier process of it, whose words were on their way.
  if (one.state == peer_state::here && said.incarnation < one.incarnation) return false;
  if (one.state != peer_state::here) {
    if (one.state == peer_state::down) changed_ms_ = now_ms;
    // Its earlier process was only doubted.
    if (one.state != peer_state::down && one.incarnation != said.incarnation && !took_over)
      replaced_.push_back(said.node);
    one.incarnation = said.incarnation;
    one.state = peer_state::here;
    one.since_ms = now_ms;
    speak_ = true;  // that it is seen again
  }
  // Begun anew before anybody noticed: what it owned is owned by nobody who lives.
  if (one.state == peer_state::here && one.incarnation != 0 &&
      one.incarnation != said.incarnation && !took_over)
    replaced_.push_back(said.node);
  one.incarnation = said.incarnation;
  one.heard_ms = now_ms;
  if (one.draining != said.draining) changed_ms_ = now_ms;
  one.draining = said.draining;
  one.next = said.next;
  one.sees = {said.sees.begin(), said.sees.end()};
  one.owns = said.owns;
  return true;
}

void membership_core::link_gone(const std::string& node, std::uint64_t incarnation,
                                std::int64_t now_ms) {
  const auto at = peers_.find(node);
  if (at == peers_.end() || at->second.state != peer_state::here) return;
  if (at->second.incarnation != incarnation) return;
  at->second.state = peer_state::doubted;
  at->second.since_ms = now_ms;
  speak_ = true;  // so that others need not wait for what this node says of it
}

void membership_core::look_at_links(std::int64_t now_ms, orders& out) {
  for (auto& [node, one] : peers_) {
    if (one.state == peer_state::here && now_ms - one.heard_ms >= rules_.silence_ms)
      link_gone(node, one.incarnation, now_ms);
    if (one.state == peer_state::here && told_.insert(node).second) out.joined.push_back(node);
    if (one.state != peer_state::here && told_.erase(node) > 0) out.lost.push_back(node);
    if (one.state != peer_state::doubted && one.state != peer_state::beyond) continue;
    // What others said before this node lost it says nothing; what they say later does.
    bool seen = false, open = false;
    for (const auto& [other, says] : peers_) {
      if (other == node || says.state != peer_state::here) continue;
      if (says.heard_ms <= one.since_ms && one.state == peer_state::doubted)
        open = open || says.sees.contains(node);
      else
        seen = seen || says.sees.contains(node);
    }
    const auto waited = now_ms - one.since_ms >= rules_.confirm_ms;
    if (seen && one.state == peer_state::doubted && waited) one.state = peer_state::beyond;
    if (seen || (open && !waited)) continue;
    one.state = peer_state::down;
    one.since_ms = changed_ms_ = now_ms;
    out.down.push_back(node);
  }
}

// Whoever does not read it any more takes it from nobody, and is not waited for.
bool membership_core::has_stopped(const std::string& node,
                                  const cluster::partition_view& view) const {
  if (node == self_) return view.stopped.has_value();
  return peers_.at(node).next[view.partition] == cluster::nowhere;
}

void membership_core::order_ranks(std::span<const partition_view> views, orders& out) {
  std::vector<std::string> able, all;
  all.push_back(self_);
  if (!draining_) able.push_back(self_);
  for (const auto& [node, one] : peers_) {
    if (one.state == peer_state::down) continue;
    all.push_back(node);
    if (!one.draining) able.push_back(node);
  }
  // Where all are about to go, those who have a partition keep it.
  const auto& nodes = able.empty() ? all : able;
  for (const auto& view : views) {
    const auto next_of = [&](const std::string& node) {
      if (node == self_) return view.next;
      return peers_.at(node).next[view.partition];
    };
    auto those = nodes;
    std::erase_if(those, [&](const std::string& node) { return has_stopped(node, view); });
    auto order = cluster::holders(view.partition, those, rules_.copies);
    log_offset newest = view.end;
    for (const auto& node : order) newest = std::max(newest, next_of(node));
    // Who has yet to read much would take the partition and then keep everybody waiting.
    std::stable_partition(order.begin(), order.end(), [&](const std::string& node) {
      return newest - next_of(node) <= rules_.lag_max;
    });
    std::optional<std::uint32_t> mine;
    const auto at = std::find(order.begin(), order.end(), self_);
    if (at != order.end() && ready_ && !view.stopped)
      mine = static_cast<std::uint32_t>(at - order.begin());
    auto& told = ranks_[view.partition];
    if (told == mine) continue;
    told = mine;
    out.ranks.push_back({view.partition, mine});
  }
}

// A node to which a partition was given may never take it: it cannot write, or does not know that
// it cannot read. Then the next one in order claims it, which is a turn of the epoch and ends all
// that runs there: without a memory of it that would go on for ever.
void membership_core::look_at_moves(std::span<const partition_view> views, std::int64_t now_ms) {
  for (auto at = given_.begin(); at != given_.end();) {
    auto& one = at->second;
    const auto& view = views[at->first.first];
    const bool came_back =
        one.at_ms > 0 && view.owned_here && !view.released && !moving_.contains(view.partition);
    if (came_back) {
      one.wait_ms = std::clamp(2 * one.wait_ms, rules_.again_ms, rules_.again_ms_max);
      one.until_ms = now_ms + one.wait_ms;
      one.at_ms = 0;
    }
    const bool kept = one.at_ms > 0 && now_ms - one.at_ms >= rules_.again_ms_max;
    const bool old = one.at_ms == 0 && now_ms - one.until_ms >= rules_.again_ms_max;
    at = kept || old ? given_.erase(at) : std::next(at);
  }
}

void membership_core::order_moves(std::span<const partition_view> views, std::int64_t now_ms,
                                  orders& out) {
  std::erase_if(moving_, [&](const auto& one) {
    const auto& view = views[one.first];
    return !view.owned_here || view.released || now_ms - one.second >= rules_.move_ms_max;
  });
  look_at_moves(views, now_ms);
  if (!ready_ || (!draining_ && now_ms - changed_ms_ < rules_.settle_ms)) return;
  for (const auto& view : views) {
    if (moving_.size() >= rules_.moves_max && !leaving_) return;
    if (!view.owned_here || view.released || view.stopped || moving_.contains(view.partition))
      continue;
    std::vector<cluster::member> alive{{self_, view.next, draining_}};
    for (const auto& [node, one] : peers_) {
      if (one.state == peer_state::down || has_stopped(node, view)) continue;
      // Who goes takes the next one instead.
      const auto before = given_.find({view.partition, node});
      if (draining_ && before != given_.end() && now_ms < before->second.until_ms) continue;
      // Only who is heard can be said to have caught up; the others keep their place all the same,
      // so that nothing moves because of a link.
      const auto next = one.state == peer_state::here ? one.next[view.partition] : never_near;
      alive.push_back({node, next, one.draining});
    }
    auto to = cluster::gives_up_to(view.partition, self_, alive, rules_.copies, rules_.lag_max);
    if (!to) continue;
    auto& last = given_[{view.partition, *to}];
    if (now_ms < last.until_ms) continue;
    last.at_ms = now_ms;
    moving_.emplace(view.partition, now_ms);
    out.moves.push_back({view.partition, std::move(*to)});
  }
}

orders membership_core::tick(std::span<const partition_view> views, std::int64_t now_ms) {
  orders out;
  if (views.size() != rules_.partitions) return out;
  // Who stood still itself (it was stopped, or its machine) has heard nobody, which says nothing of
  // them: what they said lies here unread. Else it would call down all that live, and claim what
  // they own.
  if (ticked_ms_ && now_ms - *ticked_ms_ >= rules_.silence_ms / 2)
    for (auto& [node, one] : peers_) one.heard_ms = std::max(one.heard_ms, now_ms);
  ticked_ms_ = now_ms;
  out.down = std::exchange(replaced_, {});
  look_at_links(now_ms, out);
  const auto heard = std::count_if(peers_.begin(), peers_.end(), [](const auto& one) {
    return one.second.state == peer_state::here;
  });
  // Who is alone at first would take all there is for its own.
  if (static_cast<std::size_t>(heard) >= rules_.others || now_ms - began_ms_ >= rules_.join_ms)
    ready_ = true;
  order_ranks(views, out);
  order_moves(views, now_ms, out);
  out.speak = std::exchange(speak_, false);
  return out;
}

heard_from membership_core::says(std::span<const partition_view> views) const {
  heard_from out{self_, incarnation_, draining_, {}, {}, {}};
  out.next.reserve(views.size());
  // One that has stopped here is not given to this node, however far it was read.
  for (const auto& view : views) out.next.push_back(view.stopped ? cluster::nowhere : view.next);
  for (const auto& [node, one] : peers_)
    if (one.state == peer_state::here) out.sees.push_back(node);
  for (const auto& view : views)
    if (view.owned_here && !view.released && !view.stopped)
      out.owns.emplace_back(view.partition, view.epoch);
  return out;
}

}  // namespace soma::peers
