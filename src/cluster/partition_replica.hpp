// One node's part in one partition: it follows the log, claims it where it may, admits and numbers
// what it writes as the owner, and knows when it may act. What counts is decided by
// partition_core.hpp; this decides what to write, and what to tell whom.
//
// Pure: time comes with each input, what is to be done goes out as `actions`. One thread at a time.
// Whoever runs it produces the records in their order by one producer, writes each read record's
// changes and `state()` in one batch, and only then carries out the actions of that reading. A
// producer may be replaced at any time, and what waits in it dropped: see delivery_failed.
//
// Nobody is answered by a delivery report. An append is answered by its own application, or, as not
// written, by the next claim that counts, whoever's it is: until then it may be in the log or on
// its way there.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cluster/partition_core.hpp"

namespace soma::cluster {

struct replica_rules {
  std::int64_t lease_ms = 2'000;
  std::int64_t commit_timeout_ms = 10'000;  // for a record, or a claim, to be read again
  std::int64_t reclaim_ms = 5'000;          // who lost the partition waits so long, doubling …
  std::int64_t reclaim_ms_max = 300'000;    // … up to this
  std::int64_t stagger_ms = 250;            // between the first standby's claim and the second's
  std::size_t flight_max = 4'096;           // records written and not yet read
  std::size_t flight_bytes_max = 64u << 20;
};

// A new owner waits for the lease and a twentieth of it: no clock may run faster or slower than
// another by more.
constexpr std::int64_t lease_wait_ms(const replica_rules& rules) {
  return rules.lease_ms + rules.lease_ms / 20;
}

// `monotonic_ms` counts while the machine is suspended, too (CLOCK_BOOTTIME).
struct clocks {
  std::int64_t monotonic_ms = 0, wall_ms = 0;
};

enum class append_outcome : std::uint8_t {
  written,
  refused,      // counted and changes nothing: `judged` says why, and what is kept for its key
  not_written,  // and never will be
  unknown,      // the partition has stopped at this node
};

struct append_answer {
  std::uint64_t token = 0;
  append_outcome what = append_outcome::unknown;
  judgement judged{};
  log_offset offset = nowhere;  // written, refused: where
};

struct actions {
  std::vector<std::string> produce;
  std::vector<append_answer> answers;
};

enum class admission : std::uint8_t {
  taken,         // answered later, once
  not_owner,     // or not sure to be: a claim of its own is on its way
  other_epoch,   // its events were made under another claim
  head_differs,  // of the session, as the flight will leave it
  session_gone,
  too_large,
  full,
  unreadable,  // the facts
};

struct reading {
  judgement judged;
  std::optional<atom> apply;         // its changes, in the batch of the state
  std::optional<source_tag> passed;  // what was refused had its turn: the same
  actions then;
};

class partition_replica {
 public:
  // `incarnation`: of this process, never given twice. `stored`: what it knew when it ended.
  partition_replica(const replica_rules& rules, std::string node, std::string incarnation,
                    partition_state stored, clocks now);

  // The next record of the log. Once one is stopped, nothing is read or written any more.
  reading read(clocks now, const partition_facts& facts, log_offset offset, std::string_view bytes);
  // All that was in the log a moment ago is read. False: there is more.
  void at_end(bool reached) { at_end_ = reached; }

  // `one.epoch` is that of its encoded events.
  admission submit(clocks now, const partition_facts& facts, std::uint64_t token, atom one,
                   actions& out);
  // A record that was put since its last claim could not be delivered, or its producer has failed:
  // what it wrote may be in the log. It claims anew, or puts the claim that it waits for again.
  actions delivery_failed(clocks now);
  // Claims, and first records, that were put so far: what was put before the last of them needs
  // nobody's care any more.
  std::uint64_t claims_put() const { return claims_put_; }
  // A few times in a lease.
  actions tick(clocks now);
  // Whoever runs it cannot go on: the log is another than was read so far, or does not have the
  // place any more, or what counted cannot be carried out.
  actions stop(judgement why);

  // Whether this node may claim, and how many go first. None: it does not claim (it is draining,
  // its clock is wrong, it is not among the partition's nodes).
  void may_claim(std::optional<std::uint32_t> rank) { rank_ = rank; }
  // The first of a log that is empty; only the node that founds the cluster has it.
  void found(born first) { first_ = std::move(first); }
  // Its link is gone: it need not fall silent first.
  void node_down(const std::string& node, clocks now);
  // Gives the partition up to `to`, after the flight has landed and all effects have ended; false:
  // not the owner, something is in flight, or the lease of the owner before is not over.
  bool give_up(clocks now, std::string to, actions& out);

  const partition_state& state() const { return state_; }
  const std::optional<judgement>& stopped() const { return stopped_; }
  bool owns() const { return mine_ != nowhere; }
  // Whether an effect (a tool, a model's call, a callback) may begin at this moment; what runs is
  // cancelled when it may not any more. Appends need no leave: the log judges them.
  bool may_act(clocks now) const;
  // Until when, on the monotonic clock, if nothing else happens; 0: it may not.
  std::int64_t acts_until_ms(clocks now) const { return may_act(now) ? lease_until_ms_ : 0; }
  std::size_t in_flight() const { return flight_.size(); }
  std::size_t flight_bytes() const { return flight_bytes_; }
  // The owner, and what it wrote last may be lost: another claim of its own is on its way, and it
  // takes nothing before that counts.
  bool reclaiming() const { return reclaiming_; }

 private:
  struct sent {
    std::uint64_t token = 0;  // 0: nobody asks
    session_key session;
    std::size_t bytes = 0;
    std::int64_t produced_ms = 0;
  };
  struct head_ahead {  // as the flight will leave it
    std::uint64_t seq = 0;
    bool gone = false;
    std::size_t in_flight = 0;
  };

  void claim_counted(clocks now, bool nobody_acts, actions& out);
  void landed(clocks now, log_offset offset, const judgement& judged, actions& out);
  void drop_flight(append_outcome as, actions& out);
  void produce(clocks now, decltype(owned::what) what, sent as, actions& out);
  void put_claim(clocks now, actions& out);
  void claim_again(clocks now, actions& out);
  bool should_claim(clocks now) const;
  std::int64_t silence_before_claim_ms() const;

  const replica_rules rules_;
  const std::string node_, incarnation_;
  partition_state state_;
  std::optional<judgement> stopped_;
  std::optional<born> first_;
  std::optional<std::uint32_t> rank_;
  bool at_end_ = false;

  log_offset mine_ = nowhere;  // this node's claim, while it is the newest
  bool reclaiming_ = false;    // another claim of its own is on its way
  bool giving_up_ = false;
  std::deque<sent> flight_;
  std::size_t flight_bytes_ = 0;
  std::unordered_map<session_key, head_ahead> ahead_;
  std::uint64_t sent_n_ = 0, sent_digest_ = 0;
  std::int64_t produced_ms_ = 0;

  std::optional<std::int64_t> claim_first_ms_;  // produced, of the oldest that is not answered
  std::int64_t claim_last_ms_ = 0;
  std::uint64_t claims_put_ = 0;
  std::int64_t counted_ms_;  // when a record was last seen to count
  std::int64_t not_before_ms_, reclaim_ms_;
  std::int64_t owner_since_ms_ = 0;
  std::optional<std::int64_t> down_ms_;  // since when the owner's link is gone

  std::int64_t effects_from_ms_ = 0, lease_until_ms_ = 0;
};

}  // namespace soma::cluster
