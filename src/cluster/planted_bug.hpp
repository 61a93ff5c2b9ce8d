// Mistakes that can be switched on in a build for tests, to see that the simulation finds them. In
// every other build `planted` is false at compile time and nothing of them is left.
#pragma once

#include <cstdint>

namespace soma::cluster {

enum class planted_bug : std::uint8_t {
  none,
  // in the rule
  epochs_are_identity,  // an epoch, not a place in the log, says who owns
  older_claims_count,   // a record counts whoever's claim it names
  gaps_count,           // n is not compared
  digests_are_not_compared,
  keys_are_overwritten,
  heads_are_not_compared,
  versions_are_not_compared,  // of documents
  sources_are_not_compared,   // derived rows come twice
  sources_leave_holes,        // nor is what they follow
  the_refused_block_their_source,
  the_gone_come_again,
  time_goes_back,
  // in the replica
  a_claim_is_known_by_its_node,  // not by the incarnation that wrote it
  a_failed_delivery_answers,     // as not written, before a claim says so
  a_claim_forgets_the_flight,
  a_claim_keeps_the_flight,  // and answers it as written
  heads_forget_the_flight,
  the_lease_is_from_its_reading,  // and not from its production
  the_lease_never_ends,
  a_new_owner_acts_at_once,
  clocks_run_alike,  // no allowance for their rates
  effects_outlive_a_release,
  a_release_hides_a_wait,  // for the lease of the owner before
  // where documents are derived
  documents_are_written_where_read,  // a session's in its partition, beside that of documents
  what_is_derived_waits_again,       // a source that is read behind what was derived from it
  an_owner_writes_before_it_derives,
  // in the reader
  an_older_end_will_do,  // a question is served by a look at the end that began before it
  a_position_is_one_ahead,
};

#ifdef SOMA_PLANTED_BUGS
inline thread_local planted_bug planted_now = planted_bug::none;
inline bool planted(planted_bug which) {
  return planted_now == which;
}
inline bool any_planted() {
  return planted_now != planted_bug::none;
}
#else
constexpr bool planted(planted_bug) {
  return false;
}
constexpr bool any_planted() {
  return false;
}
#endif

}  // namespace soma::cluster
