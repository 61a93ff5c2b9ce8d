// Each planted bug is a mistake one could make; the simulation has to see it.
#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "cluster/planted_bug.hpp"
#include "cluster_world.hpp"
#include "documents_world.hpp"

using namespace soma::testing;
using soma::cluster::planted_bug;

namespace {

constexpr std::uint64_t seeds_max = 2000;

std::uint64_t first_seen(world_faults faults, std::string& why, std::uint64_t seeds = 400) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    try {
      cluster_world(seed, faults).run();
    } catch (const violation& e) {
      why = e.what();
      return seed;
    }
  }
  return 0;
}

std::uint64_t first_seen_of_documents(std::string& why, std::uint64_t seeds) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    try {
      documents_world(seed).run();
    } catch (const violation& e) {
      why = e.what();
      return seed;
    }
  }
  return 0;
}

struct named_bug {
  planted_bug bug;
  std::string what;
};

const named_bug bugs[] = {
    {planted_bug::epochs_are_identity, "an epoch says who owns"},
    {planted_bug::older_claims_count, "a record counts whoever's claim it names"},
    {planted_bug::gaps_count, "gaps and copies count"},
    {planted_bug::keys_are_overwritten, "keys are overwritten"},
    {planted_bug::heads_are_not_compared, "heads are not compared"},
    {planted_bug::versions_are_not_compared, "versions of documents are not compared"},
    {planted_bug::sources_are_not_compared, "derived rows are taken again"},
    {planted_bug::the_gone_come_again, "a removed session begins again"},
    {planted_bug::time_goes_back, "time goes back"},
    {planted_bug::a_claim_is_known_by_its_node, "a claim is known by its node alone"},
    {planted_bug::a_failed_delivery_answers, "a failed delivery answers"},
    {planted_bug::a_claim_forgets_the_flight, "a claim forgets what is in flight"},
    {planted_bug::a_claim_keeps_the_flight, "a claim takes what is in flight for written"},
    {planted_bug::heads_forget_the_flight, "heads forget what is in flight"},
    {planted_bug::the_lease_is_from_its_reading, "a lease begins when a record is read"},
    {planted_bug::the_lease_never_ends, "a lease never ends"},
    {planted_bug::a_new_owner_acts_at_once, "a new owner acts at once"},
    {planted_bug::clocks_run_alike, "all clocks run alike"},
    {planted_bug::effects_outlive_a_release, "effects outlive a release"},
    {planted_bug::a_release_hides_a_wait, "a release hides that the lease before is not over"},
    {planted_bug::an_older_end_will_do, "a question is served by an older look"},
    {planted_bug::a_position_is_one_ahead, "a position is one ahead"},
};

}  // namespace

TEST_CASE("cluster simulation: is quiet where nothing is planted") {
  soma::cluster::planted_now = planted_bug::none;
  std::string why;
  CHECK(first_seen({}, why) == 0);
  CHECK(why == "");
}

TEST_CASE("cluster simulation: finds every planted bug") {
  for (const auto& [bug, what] : bugs) {
    soma::cluster::planted_now = bug;
    std::string why;
    const auto seed = first_seen({}, why, seeds_max);
    soma::cluster::planted_now = planted_bug::none;
    INFO(what);
    CHECK(seed != 0);
    MESSAGE(what << ": seed " << seed << ": " << why);
  }
}

TEST_CASE("documents' simulation: finds every planted bug, and nothing where none is") {
  static const named_bug of_documents[] = {
      {planted_bug::versions_are_not_compared, "versions of documents are not compared"},
      {planted_bug::sources_are_not_compared, "derived rows are taken again"},
      {planted_bug::sources_leave_holes, "what is derived leaves holes"},
      {planted_bug::the_refused_block_their_source, "what is refused has no turn"},
      {planted_bug::documents_are_written_where_read, "a session's are written in its partition"},
      {planted_bug::what_is_derived_waits_again, "what had its turn waits again"},
      {planted_bug::an_owner_writes_before_it_derives, "an owner writes before it derives"},
  };
  std::string quiet;
  CHECK(first_seen_of_documents(quiet, 400) == 0);
  CHECK(quiet == "");
  for (const auto& [bug, what] : of_documents) {
    soma::cluster::planted_now = bug;
    std::string why;
    const auto seed = first_seen_of_documents(why, seeds_max);
    soma::cluster::planted_now = planted_bug::none;
    INFO(what);
    CHECK(seed != 0);
    MESSAGE(what << ": seed " << seed << ": " << why);
  }
}

TEST_CASE("cluster simulation: finds a delivery report that is taken for the answer") {
  std::string why;
  CHECK(first_seen({.answers_by_delivery = true}, why) != 0);
  CHECK(why == "what is told written is there");
}

TEST_CASE("changelog: without its digests one that grew again is taken for the one that was read") {
  using namespace soma::cluster;
  const auto reads_on = [] {
    fact_table facts;
    partition_state cut, read;
    const auto put = [&](partition_state& at, log_offset offset, const record& one) {
      return apply(at, facts, offset, encode(one)).what;
    };
    put(cut, 0, {1, born{"log", 0, 1, 0, 1}});
    put(cut, 1, {1, claim{"log", 0, 1, "a", "i", cut.claim_digest}});
    read = cut;
    put(read, 2, {1, owned{1, 1, 5, read.digest, alive{}}});
    put(cut, 2, {1, owned{1, 1, 6, cut.digest, alive{}}});  // what stands there now
    return put(read, 3, {1, owned{1, 2, 7, cut.digest, alive{}}});
  };
  CHECK(reads_on() == verdict::stopped);
  planted_now = planted_bug::digests_are_not_compared;
  CHECK(reads_on() == verdict::counted);
  planted_now = planted_bug::none;
}

TEST_CASE("cluster simulation: finds rows that are stored behind their offset") {
  std::string why;
  CHECK(first_seen({.state_before_facts = true}, why) != 0);
}

TEST_CASE("cluster simulation: sending again under the old claim does no harm, and no good") {
  // What is sent again is void by its n or its claim: the rule does not rest on who sends.
  std::string why;
  CHECK(first_seen({.sends_again = true}, why) == 0);
  CHECK(why == "");
}
