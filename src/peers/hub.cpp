#include "peers/hub.hpp"

#include <algorithm>
#include <caf/event_based_actor.hpp>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "core/time.hpp"
#include "observability/log.hpp"
#include "peers/handshake.hpp"

namespace soma::peers {
namespace {

using std::chrono::milliseconds;

// A hello is answered by an actor that waits for nothing.
constexpr auto hello_timeout = std::chrono::seconds(3);
constexpr auto connect_timeout = std::chrono::seconds(5);
constexpr auto look_every = milliseconds(50);
constexpr std::size_t reason_bytes_max = 500;  // of what another says in the log

// A peer that is to be connected to.
struct place {
  endpoint at;
  std::string text;  // what the log calls it
  std::string node;  // who was met there
  bool busy = false, is_self = false;
  std::int64_t next_ms = 0, wait_ms = 0;
  std::string told;  // why it was refused, as it was last logged
};

struct link {
  caf::actor actor;
  hello said;
  std::uint64_t told = 0, read = 0;      // heartbeats
  std::int64_t since_ms = 0;             // of the link, since 1970
  std::optional<std::int64_t> ahead_ms;  // its clock of this one's
};

class hub_actor {
 public:
  hub_actor(caf::event_based_actor* self, hub_needs needs)
      : self_(self),
        needs_(std::move(needs)),
        core_(needs_.options.rules, needs_.options.self.node, needs_.incarnation, monotonic_ms()),
        host_(*needs_.host) {
    for (std::size_t i = 0; i < needs_.peers.size(); ++i)
      places_.push_back({needs_.peers[i], needs_.peer_names[i], {}, false, false, 0, 0, {}});
  }

  caf::behavior behavior() {
    self_->set_down_handler(
        [this](caf::scheduled_actor*, caf::down_msg& down) { gone(down.source); });
    self_->set_default_handler(caf::drop);
    self_->set_error_handler([](caf::scheduled_actor*, caf::error&) {});
    return {
        [this](begin_atom, const std::string& door) { begin(door); },
        [this](look_atom) { look(); },
        [this](beat_atom) { beat(); },
        [this](drain_atom, bool wanted) { drain(wanted); },
        [this](leave_atom) { leave(); },
        [this](const hello& said) { return met(said); },
        [this](const proof& shown) { return proved(shown); },
        [this](const heartbeat& said) { heard(said); },
        [this](const heartbeat_read& said) { read(said.number); },
    };
  }

 private:
  hello says() const {
    const auto& of = needs_.options.self;
    hello out;
    out.cluster = of.cluster;
    out.node = of.node;
    out.incarnation = needs_.incarnation;
    out.partitions = host_.partitions();
    out.version = of.version;
    out.format = of.format;
    out.http = door_;
    out.roles = of.roles;
    out.nonce = new_nonce();
    return out;
  }

  // Why the other is no node of this cluster, by what anybody may know; none: it may be one.
  std::optional<std::string> differs(const hello& of) const {
    if (auto why = is_of_another(needs_.options.self, host_.partitions(), needs_.incarnation, of))
      return why;
    const auto at = links_.find(of.node);
    if (at != links_.end() && at->second.said.incarnation > of.incarnation)
      return "a later process of the name " + of.node + " is here";
    if (of.node.empty() || (at == links_.end() && links_.size() + 1 >= nodes_max))
      return "there are as many nodes as there may be";
    return std::nullopt;
  }

  void begin(const std::string& door) {
    const bool is_news = door_ != door;
    door_ = door;
    if (begun_ && is_news)
      for (const auto& [node, one] : links_)
        shake(
            one.actor, [](const hello&) {}, [](const std::string&) {});
    if (begun_) return;
    begun_ = true;
    self_->send(self_, look_atom::value);
    self_->send(self_, beat_atom::value);
  }

  void look() {
    self_->delayed_send(self_, look_every, look_atom::value);
    reach();
    decide();
  }

  void beat() {
    self_->delayed_send(self_, milliseconds(needs_.options.heartbeat_ms), beat_atom::value);
    speak();
  }

  void drain(bool wanted) {
    core_.drain(wanted);
    speak();
    decide();
  }

  void leave() {
    core_.leave();
    speak();
    decide();
  }

  void reach() {
    const auto now = monotonic_ms();
    for (std::size_t i = 0; i < places_.size(); ++i) {
      auto& one = places_[i];
      if (one.busy || one.is_self || now < one.next_ms || links_.contains(one.node)) continue;
      one.busy = true;
      const auto connector = caf::actor_cast<caf::io::middleman_actor>(needs_.connector);
      self_->request(connector, connect_timeout, caf::connect_atom::value, one.at.host, one.at.port)
          .then([this, i](const caf::node_id&, const caf::strong_actor_ptr& who,
                          const std::set<std::string>&) { greet(i, who); },
                [this, i](caf::error&) { missed(i, {}); });
    }
  }

  void greet(std::size_t place, const caf::strong_actor_ptr& who) {
    if (!who) return missed(place, {});
    const auto them = caf::actor_cast<caf::actor>(who);
    if (them == caf::actor_cast<caf::actor>(self_)) return is_self(place);
    shake(
        them, [this, place](const hello& said) { answered(place, said); },
        [this, place](const std::string& why) { missed(place, why); });
  }

  // A hello, the other's answer and proof, this node's proof; then there is a link. `is_met` is
  // called with this node's own words, too.
  void shake(const caf::actor& them, std::function<void(const hello&)> is_met,
             std::function<void(const std::string&)> is_not) {
    const auto text = [this](const caf::error& why) {
      return why.context().empty() ? std::string() : self_->system().render(why);
    };
    const auto mine = says();
    self_->request(them, hello_timeout, mine)
        .then(
            [this, them, mine, is_met, is_not, text](const hello& said) {
              if (is_own(said)) return is_met(said);
              if (!said.refused.empty()) return is_not(said.refused.substr(0, reason_bytes_max));
              auto why = differs(said);
              if (!why) why = disproved_answer(needs_.options.self, said, mine.nonce);
              proof shown;
              shown.nonce = said.nonce;
              if (why) {
                shown.refused = *why;
                self_->request(them, hello_timeout, shown)
                    .then([](const proof&) {}, [](caf::error&) {});
                return is_not(*why);
              }
              shown = prove(needs_.options.self, side::asks, mine, mine.nonce, said.nonce);
              self_->request(them, hello_timeout, shown)
                  .then(
                      [this, them, said, is_met, is_not](const proof& taken) {
                        if (!taken.refused.empty())
                          return is_not(taken.refused.substr(0, reason_bytes_max));
                        take(them, said);
                        is_met(said);
                      },
                      [is_not, text](caf::error& failed) { is_not(text(failed)); });
            },
            [is_not, text](caf::error& failed) { is_not(text(failed)); });
  }

  bool is_own(const hello& said) const {
    return said.node == needs_.options.self.node && said.incarnation == needs_.incarnation;
  }

  void answered(std::size_t place, const hello& said) {
    if (is_own(said)) return is_self(place);
    auto& one = places_[place];
    one.busy = false;
    one.wait_ms = 0;
    one.next_ms = monotonic_ms() + needs_.options.retry_ms;
    one.node = said.node;
    one.told.clear();
  }

  void is_self(std::size_t place) {
    places_[place].is_self = true;
    places_[place].busy = false;
  }

  void missed(std::size_t place, const std::string& why) {
    auto& one = places_[place];
    one.busy = false;
    one.wait_ms = std::clamp(one.wait_ms * 2, needs_.options.retry_ms, needs_.options.retry_ms_max);
    one.next_ms = monotonic_ms() + one.wait_ms;
    if (why.empty() || one.told == why) return;
    one.told = why;
    log(log_level::error, "cluster.peer_refused", {{"peer", one.text}, {"reason", why}});
  }

  // What is said to who is not let in; the log has it once.
  std::string refusal(const std::string& node, const std::string& why) {
    if (refused_ != node + why) {
      refused_ = node + why;
      log(log_level::error, "cluster.peer_refused", {{"node", node}, {"reason", why}});
    }
    return "the node " + needs_.options.self.node + " says: " + why;
  }

  // The answer to a hello: this node's own, with its proof, or why not.
  hello met(const hello& said) {
    if (const auto why = differs(said)) {
      hello no;
      no.refused = refusal(said.node, *why);
      return no;
    }
    return greetings_.answer(needs_.options.self, says(), said, self_->current_sender(),
                             monotonic_ms());
  }

  // Whoever was greeted shows that it is who it says.
  proof proved(const proof& shown) {
    proof out;
    auto one = greetings_.take(needs_.options.self, shown, self_->current_sender());
    if (!one) {
      out.refused = "there was no hello before it, or too long ago";
      return out;
    }
    auto& [said, why] = *one;
    if (!why) why = differs(said);
    const auto them = caf::actor_cast<caf::actor>(self_->current_sender());
    if (why)
      out.refused = refusal(said.node, *why);
    else if (them && !is_own(said))
      take(them, said);
    return out;
  }

  void take(const caf::actor& them, const hello& said) {
    auto& one = links_[said.node];
    // Whoever says hello anew may have dropped this link, with what was on its way over it: none of
    // that is waited for.
    if (one.actor == them && one.said.incarnation == said.incarnation) {
      one.said = said;
      one.read = one.told;
      tell(one);
      return show();
    }
    if (one.actor && one.actor != them) self_->demonitor(one.actor.address());
    const bool known = one.actor == them;
    one = {them, said, 0, 0, now_ms(), {}};
    if (!known) self_->monitor(them);
    tell(one);
    decide();
  }

  // A heartbeat of somebody to whom there is no link: it does not know that this side dropped it.
  void meet_again(const caf::strong_actor_ptr& who) {
    const auto them = caf::actor_cast<caf::actor>(who);
    if (!them || them == caf::actor_cast<caf::actor>(self_)) return;
    const auto now = monotonic_ms();
    if (now < meet_again_ms_) return;
    meet_again_ms_ = now + needs_.options.retry_ms;
    shake(
        them, [](const hello&) {}, [](const std::string&) {});
  }

  void remember(const std::string& node, const hello& said) {
    if (known_.size() >= nodes_max && !known_.contains(node)) known_.erase(known_.begin());
    known_[node] = said;
  }

  void gone(const caf::actor_addr& who) {
    for (auto at = links_.begin(); at != links_.end(); ++at) {
      if (at->second.actor.address() != who) continue;
      const auto node = at->first;
      const auto incarnation = at->second.said.incarnation;
      remember(node, at->second.said);
      links_.erase(at);
      core_.link_gone(node, incarnation, monotonic_ms());
      return decide();
    }
  }

  void heard(const heartbeat& said) {
    const auto at = links_.find(said.node);
    const auto from = self_->current_sender();
    if (said.protocol == protocol_version && at == links_.end()) return meet_again(from);
    if (said.protocol != protocol_version || at == links_.end() ||
        at->second.actor.address() != caf::actor_cast<caf::actor_addr>(from) ||
        at->second.said.incarnation != said.incarnation)
      return;
    self_->send(at->second.actor, heartbeat_read{said.number});
    // One that waited on its way makes its clock seem late, and never early: the greatest counts,
    // forgotten slowly, so that a clock that is set back is seen.
    const auto ahead = said.wall_ms - now_ms();
    auto& known = at->second.ahead_ms;
    known = known && *known > ahead ? *known - (*known - ahead) / 8 : ahead;
    const bool news = core_.peers().count(said.node) == 0 ||
                      core_.peers().at(said.node).state != peer_state::here ||
                      core_.peers().at(said.node).sees.size() != said.sees.size() ||
                      core_.peers().at(said.node).draining != said.draining;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> owns;
    for (std::size_t i = 0; i < said.owned.size() && i < said.epochs.size(); ++i)
      owns.emplace_back(said.owned[i], said.epochs[i]);
    core_.heard({said.node, said.incarnation, said.draining, said.next, said.sees, std::move(owns)},
                monotonic_ms());
    if (news) decide();
  }

  void read(std::uint64_t number) {
    const auto who = caf::actor_cast<caf::actor_addr>(self_->current_sender());
    for (auto& [node, one] : links_)
      if (one.actor.address() == who) one.read = std::max(one.read, std::min(number, one.told));
  }

  void tell(link& one) {
    if (one.told - one.read >= heartbeats_unread_max) return;
    const auto now = core_.says(views_);
    heartbeat said;
    said.node = now.node;
    said.incarnation = now.incarnation;
    said.number = ++one.told;
    said.draining = now.draining;
    said.next = now.next;
    said.sees = now.sees;
    for (const auto& [partition, epoch] : now.owns) {
      said.owned.push_back(partition);
      said.epochs.push_back(epoch);
    }
    said.wall_ms = now_ms();
    if (said.next.size() == host_.partitions()) self_->send(one.actor, std::move(said));
  }

  void speak() {
    if (views_.empty()) see();
    for (auto& [node, one] : links_) tell(one);
  }

  void see() {
    const auto before = std::exchange(views_, {});
    for (std::uint32_t i = 0; i < host_.partitions(); ++i) {
      views_.push_back(host_.look(i));
      gained_ += views_.back().owned_here && !(i < before.size() && before[i].owned_here);
    }
    const auto& documents = views_[cluster::documents_partition];
    const bool had = cluster::documents_partition < before.size();
    if (!had || documents.next != before[cluster::documents_partition].next ||
        (documents.owned_here && documents.may_act))
      documents_heard_ms_ = monotonic_ms();
  }

  void decide() {
    see();
    auto what = core_.tick(views_, monotonic_ms());
    for (const auto& node : what.joined)
      log(log_level::info, "cluster.node_joined", {{"node", node}});
    for (const auto& node : what.lost) {
      log(log_level::warn, "cluster.link_lost", {{"node", node}});
      // It fell silent: who speaks again is met again.
      if (const auto at = links_.find(node); at != links_.end()) {
        remember(node, at->second.said);
        self_->demonitor(at->second.actor.address());
        links_.erase(at);
      }
    }
    for (const auto& node : what.down) {
      log(log_level::warn, "cluster.node_down", {{"node", node}});
      host_.node_down(node);
    }
    for (const auto& one : what.ranks) host_.may_claim(one.partition, one.goes_after);
    for (auto& one : what.moves) {
      log(log_level::info, "cluster.moves", {{"partition", one.partition}, {"to", one.to}});
      host_.give_up(one.partition, std::move(one.to));
    }
    if (what.speak) speak();
    show();
  }

  void show() {
    links_seen seen;
    std::map<std::string, std::string> doors;
    std::map<std::string, std::int64_t> clocks;
    const auto wall = now_ms(), now = monotonic_ms();
    const auto& mine = needs_.options.self;
    seen.draining = core_.draining();
    seen.gained = gained_;
    seen.moves_under_way = core_.moves_under_way();
    node_seen self;
    self.node = mine.node;
    self.http = door_;
    self.version = mine.version;
    self.format = mine.format;
    self.roles = mine.roles;
    self.state = core_.draining() ? "draining" : "here";
    self.since_ms = static_cast<std::int64_t>(needs_.incarnation >> incarnation_random_bits);
    self.is_self = true;
    for (const auto& view : views_) self.next.push_back(view.next);
    seen.nodes.push_back(std::move(self));
    for (const auto& [node, one] : core_.peers()) {
      node_seen out;
      out.node = node;
      const auto at = links_.find(node);
      const auto met = known_.find(node);
      const hello* said = at != links_.end()    ? &at->second.said
                          : met != known_.end() ? &met->second
                                                : nullptr;
      if (said) {
        out.http = said->http;
        out.version = said->version;
        out.format = said->format;
        out.roles = said->roles;
      }
      out.state = one.state == peer_state::here && one.draining ? "draining" : to_string(one.state);
      out.since_ms = wall - (now - one.since_ms);
      out.next = one.next;
      if (at != links_.end() && one.state == peer_state::here) {
        if (!at->second.said.http.empty()) doors[node] = at->second.said.http;
        clocks[node] = at->second.ahead_ms.value_or(0);
      }
      seen.nodes.push_back(std::move(out));
    }
    for (const auto& one : places_)
      if (!one.told.empty()) seen.refused.push_back(one.text + ": " + one.told);
    std::vector<std::pair<std::string, std::uint32_t>> owners(host_.partitions());
    for (const auto& [node, one] : core_.peers()) {
      if (one.state != peer_state::here) continue;
      for (const auto& [partition, epoch] : one.owns)
        if (partition < owners.size() && epoch > owners[partition].second)
          owners[partition] = {node, epoch};
    }
    const std::lock_guard lock(needs_.shared->mutex);
    needs_.shared->seen = std::move(seen);
    needs_.shared->doors = std::move(doors);
    needs_.shared->clocks = std::move(clocks);
    needs_.shared->owners = std::move(owners);
    needs_.shared->documents_heard_ms = documents_heard_ms_;
  }

  caf::event_based_actor* self_;
  hub_needs needs_;
  membership_core core_;
  cluster::partition_host& host_;
  std::vector<place> places_;
  std::map<std::string, link> links_;
  std::map<std::string, hello> known_;  // of nodes without a link: as they last said
  std::vector<cluster::partition_view> views_;
  greetings greetings_;
  std::string door_, refused_;
  std::uint64_t gained_ = 0;
  std::int64_t documents_heard_ms_ = monotonic_ms(), meet_again_ms_ = 0;
  bool begun_ = false;
};

}  // namespace

std::int64_t monotonic_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(now).count();
}

caf::behavior hub(caf::event_based_actor* self, hub_needs needs) {
  auto made = std::make_shared<hub_actor>(self, std::move(needs));
  self->attach_functor([made] {});  // lives as long as the actor
  return made->behavior();
}

}  // namespace soma::peers
