#include "cluster/partition_replica.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cluster/planted_bug.hpp"

namespace soma::cluster {

partition_replica::partition_replica(const replica_rules& rules, std::string node,
                                     std::string incarnation, partition_state stored, clocks now)
    : rules_(rules),
      node_(std::move(node)),
      incarnation_(std::move(incarnation)),
      state_(std::move(stored)),
      counted_ms_(now.monotonic_ms),
      not_before_ms_(now.monotonic_ms),
      reclaim_ms_(rules.reclaim_ms) {}

// ---- what is read ----

reading partition_replica::read(clocks now, const partition_facts& facts, log_offset offset,
                                std::string_view bytes) {
  reading out;
  if (stopped_) {
    out.judged = *stopped_;
    return out;
  }
  const auto decoded = decode(bytes);
  const bool nobody_acts = state_.owner.empty() || state_.released;
  out.judged = decoded ? cluster::apply(state_, facts, offset, *decoded)
                       : cluster::apply(state_, facts, offset, bytes);
  if (out.judged.what == verdict::stopped) {
    stopped_ = out.judged;
    mine_ = nowhere;
    drop_flight(append_outcome::unknown, out.then);
    return out;
  }
  const auto& what = decoded->one.what;
  const auto* under = std::get_if<owned>(&what);
  const bool counts = out.judged.what != verdict::voided;
  if (counts) counted_ms_ = now.monotonic_ms;
  if (counts && std::holds_alternative<born>(what)) claim_first_ms_.reset();
  if (counts && std::holds_alternative<claim>(what)) claim_counted(now, nobody_acts, out.then);
  if (!under) return out;
  if (out.judged.what == verdict::counted)
    if (const auto* one = std::get_if<atom>(&under->what)) out.apply = *one;
  if (const auto* one = std::get_if<atom>(&under->what);
      one && one->source && passes_source(out.judged))
    out.passed = one->source;
  if (mine_ == nowhere || under->claim != mine_) return out;
  if (counts) {
    landed(now, offset, out.judged, out.then);
    if (state_.released) mine_ = nowhere;
  } else if (under->n > state_.n + 1 && !reclaiming_) {
    claim_again(now, out.then);  // one of ours is missing: all behind it is void
  }
  return out;
}

// Whoever claimed: what was in flight under the claim before, and was not read by now, is void.
void partition_replica::claim_counted(clocks now, bool nobody_acts, actions& out) {
  if (!planted(planted_bug::a_claim_forgets_the_flight))
    drop_flight(planted(planted_bug::a_claim_keeps_the_flight) ? append_outcome::written
                                                               : append_outcome::not_written,
                out);
  flight_.clear();
  flight_bytes_ = 0;
  ahead_.clear();
  down_ms_.reset();
  reclaiming_ = giving_up_ = false;
  const bool was_mine = mine_ != nowhere;
  const bool is_mine = planted(planted_bug::a_claim_is_known_by_its_node)
                           ? state_.owner == node_
                           : state_.incarnation == incarnation_;
  if (!is_mine) {
    if (was_mine) {
      if (now.monotonic_ms - owner_since_ms_ > rules_.reclaim_ms_max)
        reclaim_ms_ = rules_.reclaim_ms;
      not_before_ms_ = now.monotonic_ms + reclaim_ms_;
      reclaim_ms_ = std::min(2 * reclaim_ms_, rules_.reclaim_ms_max);
    }
    mine_ = nowhere;
    claim_first_ms_.reset();
    return;
  }
  const auto produced_ms = claim_first_ms_.value_or(now.monotonic_ms - rules_.lease_ms);
  claim_first_ms_.reset();
  mine_ = state_.claim;
  sent_n_ = 0;
  sent_digest_ = state_.digest;
  if (was_mine) {  // nobody else owned in between: what was allowed is, and what was waited for
    lease_until_ms_ = std::max(lease_until_ms_, produced_ms + rules_.lease_ms);
    return;
  }
  owner_since_ms_ = now.monotonic_ms;
  lease_until_ms_ = produced_ms + rules_.lease_ms;
  effects_from_ms_ = now.monotonic_ms;
  // The owner before may act for a lease behind its last counted record, which stands before this
  // claim in the log, and so was produced before it was read here.
  if (nobody_acts || planted(planted_bug::a_new_owner_acts_at_once)) return;
  effects_from_ms_ +=
      planted(planted_bug::clocks_run_alike) ? rules_.lease_ms : lease_wait_ms(rules_);
}

void partition_replica::landed(clocks now, log_offset offset, const judgement& judged,
                               actions& out) {
  assert((!flight_.empty() || any_planted()) && "what counts under its claim was in flight");
  if (flight_.empty()) return;
  const auto one = std::move(flight_.front());
  flight_.pop_front();
  flight_bytes_ -= one.bytes;
  const auto from_ms =
      planted(planted_bug::the_lease_is_from_its_reading) ? now.monotonic_ms : one.produced_ms;
  lease_until_ms_ = std::max(lease_until_ms_, from_ms + rules_.lease_ms);
  if (one.token == 0) return;
  if (const auto found = ahead_.find(one.session); found != ahead_.end()) {
    if (--found->second.in_flight == 0) {
      ahead_.erase(found);
    } else if (judged.what == verdict::refused) {
      found->second.seq = UINT64_MAX;  // what follows it in flight is refused, too: take no more
    }
  }
  out.answers.push_back(
      {one.token,
       judged.what == verdict::counted ? append_outcome::written : append_outcome::refused, judged,
       offset});
}

void partition_replica::drop_flight(append_outcome as, actions& out) {
  for (const auto& one : flight_)
    if (one.token != 0) out.answers.push_back({one.token, as, {}, nowhere});
  flight_.clear();
  flight_bytes_ = 0;
  ahead_.clear();
}

// ---- what is written ----

admission partition_replica::submit(clocks now, const partition_facts& facts, std::uint64_t token,
                                    atom one, actions& out) {
  if (stopped_ || mine_ == nowhere || reclaiming_ || giving_up_) return admission::not_owner;
  if (flight_.size() >= rules_.flight_max || flight_bytes_ >= rules_.flight_bytes_max)
    return admission::full;
  sent as{token, one.session, 0, now.monotonic_ms};
  if (one.session.session.empty()) {
    produce(now, std::move(one), std::move(as), out);
    return out.produce.empty() ? admission::too_large : admission::taken;
  }
  if (one.epoch != state_.epoch) return admission::other_epoch;
  const auto stored = facts.head(one.session);
  if (!stored) return admission::unreadable;
  head_ahead head{stored->seq, stored->gone, 0};
  if (const auto found = ahead_.find(one.session);
      found != ahead_.end() && !planted(planted_bug::heads_forget_the_flight))
    head = found->second;
  if (head.gone && !planted(planted_bug::the_gone_come_again)) return admission::session_gone;
  if (one.expected && *one.expected != head.seq) return admission::head_differs;
  const head_ahead behind{head.seq == UINT64_MAX ? head.seq : head.seq + one.events, one.removes,
                          head.in_flight + 1};
  const auto session = one.session;
  const auto before = out.produce.size();
  produce(now, std::move(one), std::move(as), out);
  if (out.produce.size() == before) return admission::too_large;
  ahead_[session] = behind;
  return admission::taken;
}

void partition_replica::produce(clocks now, decltype(owned::what) what, sent as, actions& out) {
  // Time never goes back in a log, whoever owns; what is read since makes it no earlier either.
  const record one{state_.format, owned{mine_, sent_n_ + 1, std::max(now.wall_ms, state_.time_ms),
                                        sent_digest_, std::move(what)}};
  auto bytes = encode(one);
  if (bytes.size() > record_bytes_max) return;
  ++sent_n_;
  sent_digest_ = digest_behind(sent_digest_, sum_of(bytes));
  as.bytes = bytes.size();
  as.produced_ms = produced_ms_ = now.monotonic_ms;
  flight_bytes_ += as.bytes;
  flight_.push_back(std::move(as));
  out.produce.push_back(std::move(bytes));
}

actions partition_replica::delivery_failed(clocks now) {
  actions out;
  if (stopped_) return out;
  if (planted(planted_bug::a_failed_delivery_answers))
    drop_flight(append_outcome::not_written, out);
  if (mine_ != nowhere) claim_again(now, out);
  // Not owned yet: the next tick puts it again, if it is still to be put.
  if (mine_ == nowhere && claim_first_ms_)
    claim_last_ms_ = now.monotonic_ms - rules_.commit_timeout_ms;
  return out;
}

// Nothing is sent twice. What is on its way is decided by the claim: read before it, it counts.
void partition_replica::claim_again(clocks now, actions& out) {
  reclaiming_ = true;
  put_claim(now, out);
}

void partition_replica::put_claim(clocks now, actions& out) {
  claim_last_ms_ = now.monotonic_ms;
  ++claims_put_;
  if (!claim_first_ms_) claim_first_ms_ = now.monotonic_ms;
  out.produce.push_back(
      encode(record{state_.format, claim{state_.changelog, state_.claim, state_.epoch + 1, node_,
                                         incarnation_, state_.claim_digest}}));
}

bool partition_replica::give_up(clocks now, std::string to, actions& out) {
  if (stopped_ || mine_ == nowhere || reclaiming_ || giving_up_ || !flight_.empty()) return false;
  // The next owner acts at once, and knows nothing of the one before this.
  if (now.monotonic_ms < effects_from_ms_ && !planted(planted_bug::a_release_hides_a_wait))
    return false;
  giving_up_ = true;
  produce(now, release{std::move(to)}, {}, out);
  return true;
}

// ---- time ----

void partition_replica::node_down(const std::string& node, clocks now) {
  if (node == state_.owner) down_ms_ = now.monotonic_ms;
}

std::int64_t partition_replica::silence_before_claim_ms() const {
  const auto turn_ms = static_cast<std::int64_t>(*rank_) * rules_.stagger_ms;
  if (state_.owner.empty()) return turn_ms;
  if (state_.released) {
    if (state_.released_to == node_) return 0;
    return turn_ms + (state_.released_to.empty() ? 0 : lease_wait_ms(rules_));
  }
  if (state_.owner == node_) return 0;  // this node's process before
  return lease_wait_ms(rules_) + turn_ms;
}

bool partition_replica::should_claim(clocks now) const {
  if (!rank_ || !at_end_) return false;
  const bool invited = state_.released && state_.released_to == node_;
  if (now.monotonic_ms < not_before_ms_ && !invited) return false;
  const auto turn_ms = static_cast<std::int64_t>(*rank_) * rules_.stagger_ms;
  if (down_ms_ && now.monotonic_ms - *down_ms_ >= turn_ms) return true;
  return now.monotonic_ms - counted_ms_ >= silence_before_claim_ms();
}

actions partition_replica::tick(clocks now) {
  actions out;
  if (stopped_) return out;
  const auto waited_ms = now.monotonic_ms - claim_last_ms_;
  if (reclaiming_) {
    if (waited_ms >= rules_.commit_timeout_ms) claim_again(now, out);
    return out;
  }
  if (mine_ != nowhere) {
    if (!flight_.empty() &&
        now.monotonic_ms - flight_.front().produced_ms >= rules_.commit_timeout_ms)
      return delivery_failed(now);
    if (!giving_up_ && now.monotonic_ms - produced_ms_ >= rules_.lease_ms / 3)
      produce(now, alive{}, {}, out);
    return out;
  }
  if (claim_first_ms_ && waited_ms < rules_.commit_timeout_ms) return out;
  if (state_.changelog.empty()) {
    if (!first_ || !at_end_) return out;
    claim_first_ms_ = claim_last_ms_ = now.monotonic_ms;
    ++claims_put_;
    out.produce.push_back(encode(record{first_->format, *first_}));
  } else if (should_claim(now)) {
    put_claim(now, out);
  }
  return out;
}

actions partition_replica::stop(judgement why) {
  actions out;
  if (stopped_) return out;
  why.what = verdict::stopped;
  stopped_ = std::move(why);
  mine_ = nowhere;
  drop_flight(append_outcome::unknown, out);
  return out;
}

bool partition_replica::may_act(clocks now) const {
  if (stopped_ || mine_ == nowhere) return false;
  if (giving_up_ && !planted(planted_bug::effects_outlive_a_release)) return false;
  if (now.monotonic_ms < effects_from_ms_) return false;
  return now.monotonic_ms < lease_until_ms_ || planted(planted_bug::the_lease_never_ends);
}

}  // namespace soma::cluster
