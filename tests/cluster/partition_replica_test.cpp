// One node's part, case by case; whole schedules are the simulation's.
#include "cluster/partition_replica.hpp"

#include <doctest/doctest.h>

#include "support/result_text.hpp"

#include <map>
#include <memory>

#include "cluster/fact_table.hpp"

using namespace soma;
using namespace soma::cluster;

namespace {

constexpr std::int64_t lease = 2000;

struct site {
  std::string name;
  std::unique_ptr<partition_replica> replica;
  fact_table facts;
  std::size_t read_at = 0;
  std::map<std::uint64_t, append_answer> answers;
};

// A log, nodes that read it when they are told, and one clock.
struct bench {
  std::int64_t now_ms = 10'000;
  std::vector<std::string> log;
  std::vector<std::string> held;  // what is on its way while `holding`
  bool holding = false;

  clocks now() const { return {now_ms, now_ms + 1'000'000}; }

  site make(const char* name, std::uint32_t rank, partition_state stored = {}) {
    site s;
    s.name = name;
    s.replica = std::make_unique<partition_replica>(replica_rules{}, name,
                                                    std::string("of ") + name, stored, now());
    s.replica->may_claim(rank);
    if (rank == 0) s.replica->found({"log", 0, 64, 0, 1});
    return s;
  }
  void take(site& s, const actions& what) {
    for (const auto& bytes : what.produce) (holding ? held : log).push_back(bytes);
    for (const auto& one : what.answers) {
      CHECK(s.answers.count(one.token) == 0);
      s.answers[one.token] = one;
    }
  }
  void read(site& s) {
    while (s.read_at < log.size()) {
      const auto offset = static_cast<log_offset>(s.read_at);
      const auto got = s.replica->read(now(), s.facts, offset, log[s.read_at++]);
      if (got.apply) s.facts.carry_out(s.replica->state(), offset, *got.apply, got.judged);
      take(s, got.then);
    }
    s.replica->at_end(true);
  }
  void turn(site& s) {
    read(s);
    take(s, s.replica->tick(now()));
    read(s);
  }
  admission say(site& s, std::uint64_t token, std::uint64_t expected, std::string key = {}) {
    atom one;
    one.session = {tenant_id("t"), session_id("s")};
    one.epoch = s.replica->state().epoch;
    one.events = 1;
    one.expected = expected;
    if (!key.empty()) one.keys = {{std::move(key), 1000}};
    actions out;
    const auto took = s.replica->submit(now(), s.facts, token, std::move(one), out);
    take(s, out);
    return took;
  }
  void own(site& s) {
    for (int i = 0; i < 3 && !s.replica->owns(); ++i) turn(s);
    REQUIRE(s.replica->owns());
  }
};

}  // namespace

TEST_CASE("replica: founds a log, claims it, and acts at once where nobody owned before") {
  bench b;
  auto a = b.make("a", 0);
  b.own(a);
  CHECK(a.replica->may_act(b.now()));
  CHECK(a.replica->state().epoch == 1);
}

TEST_CASE("replica: one that is no founder leaves an empty log alone") {
  bench b;
  auto c = b.make("c", 1);
  b.turn(c);
  CHECK(b.log.empty());
}

TEST_CASE("replica: an append is answered by its application alone, in order, many in flight") {
  bench b;
  auto a = b.make("a", 0);
  b.own(a);
  b.holding = true;
  for (std::uint64_t i = 0; i < 10; ++i) CHECK(b.say(a, i + 1, i) == admission::taken);
  CHECK(a.replica->in_flight() == 10);
  CHECK(a.answers.empty());
  CHECK(b.say(a, 99, 3) == admission::head_differs);  // of the flight, not of what is applied
  b.log.insert(b.log.end(), b.held.begin(), b.held.end());
  b.read(a);
  CHECK(a.answers.size() == 10);
  for (std::uint64_t i = 0; i < 10; ++i) {
    CHECK(a.answers[i + 1].what == append_outcome::written);
    CHECK(a.answers[i + 1].judged.seq == i + 1);
  }
}

TEST_CASE("replica: a failed delivery answers nobody before a claim is read") {
  bench b;
  auto a = b.make("a", 0);
  b.own(a);
  b.holding = true;
  b.say(a, 1, 0);
  b.say(a, 2, 1);
  const auto failed = a.replica->delivery_failed(b.now());
  CHECK(failed.answers.empty());
  CHECK(b.say(a, 3, 2) == admission::not_owner);
  b.log.push_back(b.held[0]);             // the first was written, though it was said not to be
  b.log.push_back(failed.produce.at(0));  // then the claim
  b.log.push_back(b.held[1]);             // and the second comes late
  b.read(a);
  CHECK(a.answers[1].what == append_outcome::written);
  CHECK(a.answers[2].what == append_outcome::not_written);
  CHECK(a.replica->owns());
  CHECK(a.replica->state().epoch == 2);
  CHECK(a.facts.head({tenant_id("t"), session_id("s")})->seq == 1);
}

TEST_CASE("replica: claims anew when it sees that one of its records is missing") {
  bench b;
  auto a = b.make("a", 0);
  b.own(a);
  b.holding = true;
  b.say(a, 1, 0);
  b.say(a, 2, 1);
  b.holding = false;
  b.log.push_back(b.held[1]);
  b.read(a);  // the gap, then its own claim
  CHECK(a.answers[1].what == append_outcome::not_written);
  CHECK(a.answers[2].what == append_outcome::not_written);
  CHECK(a.replica->owns());
  CHECK(b.say(a, 3, 0) == admission::taken);
  b.read(a);
  CHECK(a.answers[3].what == append_outcome::written);
}

TEST_CASE("replica: a standby claims after silence, and acts after the lease of the one before") {
  bench b;
  auto a = b.make("a", 0), c = b.make("c", 1);
  b.own(a);
  b.read(c);
  b.now_ms += lease;
  b.turn(c);
  CHECK_FALSE(c.replica->owns());
  b.now_ms += 400;
  b.turn(c);
  CHECK(c.replica->owns());
  CHECK_FALSE(c.replica->may_act(b.now()));
  CHECK(b.say(c, 1, 0) == admission::taken);  // appends need no leave
  for (int i = 0; i < 6; ++i) b.now_ms += 300, b.turn(c);
  CHECK_FALSE(c.replica->may_act(b.now()));
  b.now_ms += 300;
  b.turn(c);
  CHECK(c.replica->may_act(b.now()));
  CHECK_FALSE(a.replica->may_act(b.now()));  // it has read nothing yet
  CHECK(a.replica->owns());
  b.read(a);
  CHECK_FALSE(a.replica->owns());
}

TEST_CASE("replica: a standby of a node whose link is gone need not wait for silence") {
  bench b;
  auto a = b.make("a", 0), c = b.make("c", 1);
  b.own(a);
  b.read(c);
  c.replica->node_down("a", b.now());
  b.now_ms += 250;
  b.turn(c);
  CHECK(c.replica->owns());
}

TEST_CASE("replica: an owner that is idle says that it lives, and one that cannot may not act") {
  bench b;
  auto a = b.make("a", 0);
  b.own(a);
  for (int i = 0; i < 20; ++i) {
    b.now_ms += 500;
    b.turn(a);
    CHECK(a.replica->may_act(b.now()));
  }
  b.holding = true;  // cut off
  b.now_ms += 1000;
  b.turn(a);
  CHECK(a.replica->may_act(b.now()));
  b.now_ms += 1000;
  b.turn(a);
  CHECK_FALSE(a.replica->may_act(b.now()));
  CHECK(a.replica->owns());
}

TEST_CASE("replica: a planned move leaves no moment in which nobody may act") {
  bench b;
  auto a = b.make("a", 0), c = b.make("c", 1);
  b.own(a);
  b.say(a, 1, 0);
  b.read(a);
  actions out;
  CHECK(a.replica->give_up(b.now(), "c", out));
  CHECK_FALSE(a.replica->may_act(b.now()));
  CHECK(b.say(a, 2, 1) == admission::not_owner);
  b.take(a, out);
  b.turn(c);
  CHECK(c.replica->owns());
  CHECK(c.replica->may_act(b.now()));
  b.turn(a);
  CHECK_FALSE(a.replica->owns());
  CHECK(b.say(c, 3, 1) == admission::taken);
}

TEST_CASE("replica: does not give up what is in flight") {
  bench b;
  auto a = b.make("a", 0);
  b.own(a);
  b.say(a, 1, 0);
  actions out;
  CHECK_FALSE(a.replica->give_up(b.now(), "c", out));
  b.read(a);
  CHECK(a.replica->give_up(b.now(), "c", out));
}

TEST_CASE("replica: who lost a partition leaves it alone for a while, and longer each time") {
  bench b;
  auto a = b.make("a", 0), c = b.make("c", 1);
  b.own(a);
  const auto lose = [&](site& from, site& to) {
    b.read(to);
    b.now_ms += 6'000;
    for (int i = 0; i < 200 && !to.replica->owns(); ++i) b.now_ms += 250, b.turn(to);
    REQUIRE(to.replica->owns());
    b.read(from);
    const auto lost_ms = b.now_ms;
    for (int i = 0; i < 400 && !from.replica->owns(); ++i) b.now_ms += 250, b.turn(from);
    REQUIRE(from.replica->owns());
    return b.now_ms - lost_ms;
  };
  CHECK(lose(a, c) == 5'000);
  CHECK(lose(a, c) == 10'000);
  CHECK(lose(a, c) == 20'000);
}

TEST_CASE("replica: a process that was begun anew is not the owner it was") {
  bench b;
  auto a = b.make("a", 0);
  b.own(a);
  b.say(a, 1, 0);
  b.read(a);
  site again;
  again.name = "a";
  again.replica = std::make_unique<partition_replica>(replica_rules{}, "a", "another",
                                                      a.replica->state(), b.now());
  again.facts = a.facts;
  again.read_at = a.read_at;
  again.replica->may_claim(0u);
  CHECK_FALSE(again.replica->owns());
  CHECK(b.say(again, 2, 1) == admission::not_owner);
  b.turn(again);  // of its own process it need not wait for silence
  CHECK(again.replica->owns());
  CHECK_FALSE(again.replica->may_act(b.now()));
  CHECK(b.say(again, 3, 1) == admission::taken);
}

TEST_CASE("replica: what follows a refused append in its session is not taken until it is over") {
  bench b;
  auto a = b.make("a", 0);
  b.own(a);
  b.say(a, 1, 0, "key");
  b.read(a);
  b.holding = true;
  b.say(a, 2, 1, "key");
  b.say(a, 3, 2);
  b.say(a, 4, 3);
  b.log.insert(b.log.end(), b.held.begin(), b.held.begin() + 1);
  b.read(a);
  CHECK(a.answers[2].what == append_outcome::refused);
  CHECK(a.answers[2].judged.why == reason::key_exists);
  CHECK(a.answers[2].judged.kept.seq == 1);
  CHECK(b.say(a, 5, 1) == admission::head_differs);
  b.log.insert(b.log.end(), b.held.begin() + 1, b.held.end());
  b.read(a);
  CHECK(a.answers[3].judged.why == reason::head_differs);
  CHECK(a.answers[4].judged.why == reason::head_differs);
  CHECK(b.say(a, 6, 1) == admission::taken);
}

TEST_CASE("replica: once it is stopped it reads, writes and does nothing any more") {
  bench b;
  auto a = b.make("a", 0);
  b.own(a);
  b.holding = true;
  b.say(a, 1, 0);
  b.log.push_back("no record");
  b.read(a);
  REQUIRE(a.replica->stopped());
  CHECK(a.replica->stopped()->why == reason::unreadable);
  CHECK(a.answers[1].what == append_outcome::unknown);
  CHECK_FALSE(a.replica->owns());
  CHECK_FALSE(a.replica->may_act(b.now()));
  const auto before = a.replica->state();
  b.log.push_back(b.held[0]);
  b.read(a);
  CHECK(a.replica->state() == before);
  b.now_ms += 100'000;
  CHECK(a.replica->tick(b.now()).produce.empty());
  CHECK(b.say(a, 2, 0) == admission::not_owner);
}

TEST_CASE(
    "replica: takes no record that a topic does not, and no more than it may have in flight") {
  bench b;
  auto a = b.make("a", 0);
  b.own(a);
  b.holding = true;
  atom one;
  one.body.assign(record_bytes_max, 'x');
  actions out;
  CHECK(a.replica->submit(b.now(), a.facts, 1, one, out) == admission::too_large);
  CHECK(out.produce.empty());
  one.body.resize(1 << 20);
  auto took = admission::taken;
  std::uint64_t count = 0;
  while (took == admission::taken && count < 1000)
    took = a.replica->submit(b.now(), a.facts, ++count + 1, one, out);
  CHECK(took == admission::full);
  CHECK(count == 65);
}

TEST_CASE("replica: what is still sent of the flight before its new claim is void behind it") {
  bench b;
  auto a = b.make("a", 0), c = b.make("c", 1);
  b.own(a);
  b.holding = true;
  for (std::uint64_t i = 0; i < 3; ++i) b.say(a, i + 1, i);
  b.take(a, a.replica->delivery_failed(b.now()));
  // The first was given up; the same producer sends the others, then the claim, and a copy.
  b.log.insert(b.log.end(), {b.held[1], b.held[2], b.held[3], b.held[1]});
  b.holding = false;
  b.read(a);
  for (std::uint64_t token = 1; token <= 3; ++token)
    CHECK(a.answers[token].what == append_outcome::not_written);
  CHECK(a.replica->owns());
  CHECK_FALSE(a.replica->reclaiming());
  CHECK(b.say(a, 4, 0) == admission::taken);
  b.read(a);
  CHECK(a.answers[4].what == append_outcome::written);
  b.read(c);
  CHECK(c.replica->state().digest == a.replica->state().digest);
}

TEST_CASE("replica: a claim that was lost on its way is put again at once, and only then") {
  bench b;
  auto a = b.make("a", 0), c = b.make("c", 1);
  b.own(a);
  b.read(c);
  b.now_ms += 2 * lease;
  b.holding = true;
  b.take(c, c.replica->tick(b.now()));
  REQUIRE(b.held.size() == 1);
  CHECK(c.replica->claims_put() == 1);
  b.take(c, c.replica->tick(b.now()));
  CHECK(b.held.size() == 1);
  b.take(c, c.replica->delivery_failed(b.now()));
  CHECK(b.held.size() == 1);
  b.take(c, c.replica->tick(b.now()));
  CHECK(b.held.size() == 2);
  CHECK(c.replica->claims_put() == 2);
  b.log.push_back(b.held[1]);
  b.log.push_back(b.held[0]);  // it was not lost
  b.read(c);
  CHECK(c.replica->owns());
}
