#include "peers/membership_core.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace soma;
using namespace soma::peers;

namespace {

constexpr std::uint32_t partitions = 32;

membership_rules rules_for(std::size_t others) {
  membership_rules rules;
  rules.partitions = partitions;
  rules.others = others;
  return rules;
}

std::vector<cluster::partition_view> views_of(const std::string& owner, const std::string& self,
                                              cluster::log_offset next = 0) {
  std::vector<cluster::partition_view> all(partitions);
  for (std::uint32_t i = 0; i < partitions; ++i) {
    all[i].partition = i;
    all[i].owner = owner;
    all[i].owned_here = owner == self;
    all[i].next = all[i].end = next;
  }
  return all;
}

heard_from from(const std::string& node, std::vector<std::string> sees = {},
                cluster::log_offset next = 0, std::uint64_t incarnation = 1) {
  return {node, incarnation, false, std::vector<cluster::log_offset>(partitions, next),
          std::move(sees)};
}

std::size_t ranked(const orders& what) {
  return static_cast<std::size_t>(
      std::count_if(what.ranks.begin(), what.ranks.end(),
                    [](const auto& r) { return r.goes_after.has_value(); }));
}

}  // namespace

TEST_CASE("membership: a node that hears nobody claims nothing before it has waited") {
  membership_core core(rules_for(2), "a", 1, 0);
  const auto views = views_of("", "a");
  CHECK(ranked(core.tick(views, 100)) == 0);
  CHECK(ranked(core.tick(views, 2'999)) == 0);
  CHECK(ranked(core.tick(views, 3'000)) == partitions);
}

TEST_CASE("membership: a node that hears all others claims its share at once, each rank once") {
  membership_core core(rules_for(1), "a", 1, 0), other(rules_for(1), "b", 1, 0);
  const auto views = views_of("", "");
  REQUIRE(core.heard(from("b"), 10));
  REQUIRE(other.heard(from("a"), 10));
  const auto mine = core.tick(views, 11), theirs = other.tick(views, 11);
  REQUIRE(ranked(mine) == partitions);
  REQUIRE(ranked(theirs) == partitions);
  for (std::size_t i = 0; i < partitions; ++i)
    CHECK(*mine.ranks[i].goes_after + *theirs.ranks[i].goes_after == 1);
  CHECK(core.tick(views, 20).ranks.empty());
}

TEST_CASE("membership: who dies is down at once when nobody else sees it") {
  membership_core core(rules_for(2), "a", 1, 0);
  const auto views = views_of("b", "a");
  core.heard(from("b", {"a", "c"}), 10);
  core.heard(from("c", {"a", "b"}), 10);
  (void)core.tick(views, 11);
  core.link_gone("b", 1, 100);
  auto what = core.tick(views, 100);
  CHECK(what.down.empty());
  CHECK(what.speak);
  core.heard(from("c", {"a"}), 105);
  what = core.tick(views, 105);
  CHECK(what.down == std::vector<std::string>{"b"});
  CHECK(core.tick(views, 200).down.empty());
}

TEST_CASE("membership: a cut between two nodes takes nothing from who others see") {
  membership_core core(rules_for(2), "a", 1, 0);
  const auto views = views_of("b", "a");
  core.heard(from("b", {"a", "c"}), 10);
  core.heard(from("c", {"a", "b"}), 10);
  (void)core.tick(views, 11);
  core.link_gone("b", 1, 100);
  for (std::int64_t t = 100; t < 20'000; t += 100) {
    core.heard(from("c", {"a", "b"}), t);
    CHECK(core.tick(views, t).down.empty());
  }
  CHECK(core.peers().at("b").state == peer_state::beyond);
  core.heard(from("c", {"a"}), 20'000);
  CHECK(core.tick(views, 20'000).down == std::vector<std::string>{"b"});
}

TEST_CASE("membership: of two nodes alone, who is not heard is down") {
  membership_core core(rules_for(1), "a", 1, 0);
  const auto views = views_of("b", "a");
  core.heard(from("b", {"a"}), 10);
  (void)core.tick(views, 11);
  for (std::int64_t t = 60; t < 3'009; t += 50) CHECK(core.tick(views, t).down.empty());
  CHECK(core.tick(views, 3'009).down.empty());
  CHECK(core.tick(views, 3'011).down == std::vector<std::string>{"b"});
}

TEST_CASE("membership: a process that replaced another of its name tells that the other is gone") {
  membership_core core(rules_for(1), "a", 1, 0);
  const auto views = views_of("b", "a");
  core.heard(from("b", {"a"}, 0, 1), 10);
  (void)core.tick(views, 11);
  core.heard(from("b", {"a"}, 0, 2), 50);
  CHECK(core.tick(views, 51).down == std::vector<std::string>{"b"});
  core.link_gone("b", 1, 60);  // of the first, late
  CHECK(core.tick(views, 61).down.empty());
  CHECK(core.peers().at("b").state == peer_state::here);
  CHECK_FALSE(core.heard(from("b", {"a"}, 0, 1), 70));
}

TEST_CASE("membership: who has yet to read much is the last to claim") {
  membership_core core(rules_for(1), "a", 1, 0);
  core.heard(from("b", {"a"}, 5'000), 10);
  auto views = views_of("c", "a", 0);
  for (const auto& rank : core.tick(views, 11).ranks) CHECK(rank.goes_after == 1u);
  for (auto& view : views) view.next = 4'500;
  const auto caught_up = core.tick(views, 20);
  CHECK(std::any_of(caught_up.ranks.begin(), caught_up.ranks.end(),
                    [](const auto& one) { return one.goes_after == 0u; }));
}

TEST_CASE("membership: partitions move to a new node once it has caught up, a few at a time") {
  auto rules = rules_for(1);
  membership_core core(rules, "a", 1, 0);
  auto views = views_of("a", "a", 5'000);
  core.heard(from("b", {"a"}, 0), 10);
  for (std::int64_t t = 20; t < 10'000; t += 100) {
    core.heard(from("b", {"a"}, 0), t);
    CHECK(core.tick(views, t).moves.empty());
  }
  core.heard(from("b", {"a"}, 4'900), 10'000);
  auto what = core.tick(views, 10'000);
  CHECK(what.moves.size() == rules.moves_max);
  CHECK(core.tick(views, 10'050).moves.empty());
  for (const auto& move : what.moves) {
    CHECK(move.to == "b");
    views[move.partition].owned_here = false;
    views[move.partition].owner = "b";
  }
  core.heard(from("b", {"a"}, 5'000), 10'100);
  CHECK(core.tick(views, 10'100).moves.size() >= 1);
}

TEST_CASE("membership: a draining node ranks nowhere and gives up all that another can take") {
  membership_core core(rules_for(1), "a", 1, 0);
  auto views = views_of("a", "a", 10);
  core.heard(from("b", {"a"}, 10), 10);
  (void)core.tick(views, 20);
  core.drain(true);
  const auto what = core.tick(views, 30);
  CHECK(what.moves.size() == 2);
  for (const auto& rank : what.ranks) CHECK_FALSE(rank.goes_after.has_value());
  CHECK(core.says(views).draining);
}

TEST_CASE("membership: where all drain, who has a partition keeps it") {
  membership_core core(rules_for(1), "a", 1, 0);
  auto views = views_of("a", "a", 10);
  auto other = from("b", {"a"}, 10);
  other.draining = true;
  core.heard(other, 10);
  (void)core.tick(views, 11);
  core.drain(true);
  const auto what = core.tick(views, 5'000 - 3'000);
  CHECK(what.moves.empty());
}

TEST_CASE("membership: what does not fit is not listened to") {
  membership_core core(rules_for(1), "a", 1, 0);
  CHECK_FALSE(core.heard(from("a"), 10));
  CHECK_FALSE(core.heard(from(""), 10));
  auto short_one = from("b");
  short_one.next.pop_back();
  CHECK_FALSE(core.heard(short_one, 10));
  for (std::size_t i = 1; i < nodes_max; ++i) CHECK(core.heard(from("n" + std::to_string(i)), 10));
  CHECK_FALSE(core.heard(from("one too many"), 10));
}

TEST_CASE(
    "membership: a partition is given to nobody who has stopped it, however short its log is") {
  auto rules = rules_for(2);
  membership_core core(rules, "b", 1, 0);
  auto views = views_of("b", "b", 5);
  auto a = from("a", {"b", "c"}, 5), c = from("c", {"a", "b"}, 5);
  for (auto& next : a.next) next = cluster::nowhere;
  std::size_t to_c = 0;
  for (std::int64_t t = 10; t < 60'000; t += 50) {
    core.heard(a, t);
    core.heard(c, t);
    for (const auto& move : core.tick(views, t).moves) {
      CHECK(move.to == "c");
      views[move.partition].owner = "c";
      views[move.partition].owned_here = false;
      ++to_c;
    }
  }
  // As if there were no a at all.
  const std::vector<std::string> able{"b", "c"};
  std::size_t of_c = 0;
  for (std::uint32_t p = 0; p < partitions; ++p)
    of_c += cluster::holders(p, able, rules.copies)[0] == "c";
  CHECK(to_c == of_c);
}

TEST_CASE("membership: who has stopped a partition is counted out of its ranks") {
  auto rules = rules_for(2);
  rules.copies = 2;
  membership_core core(rules, "c", 1, 0);
  const auto views = views_of("", "c", 5);
  auto a = from("a", {"b", "c"}, 5), b = from("b", {"a", "c"}, 5);
  for (auto& next : a.next) next = cluster::nowhere;
  core.heard(a, 10);
  core.heard(b, 10);
  // Of three nodes two hold a partition; with a out of it, b and c hold them all.
  CHECK(ranked(core.tick(views, 11)) == partitions);
}

TEST_CASE("membership: a move that came back is tried again after a wait that doubles") {
  auto rules = rules_for(1);
  rules.moves_max = partitions;
  membership_core core(rules, "b", 1, 0);
  auto views = views_of("b", "b", 5);
  std::vector<std::int64_t> at;
  std::optional<std::uint32_t> watched;
  for (std::int64_t t = 10; t < 200'000; t += 50) {
    core.heard(from("a", {"b"}, 5), t);
    for (const auto& move : core.tick(views, t).moves) {
      if (!watched) watched = move.partition;
      if (move.partition != *watched) continue;
      at.push_back(t);
    }
    if (!watched) continue;
    // Given up, never taken, and claimed again two seconds later.
    auto& view = views[*watched];
    const bool out = !at.empty() && t - at.back() < 2'000;
    view.released = out;
    view.owned_here = !out;
  }
  REQUIRE(at.size() >= 4);
  CHECK(at.size() <= 6);
  for (std::size_t i = 2; i < at.size(); ++i) CHECK(at[i] - at[i - 1] > at[i - 1] - at[i - 2]);
}

TEST_CASE("membership: who stood still itself calls nobody down for it") {
  membership_core core(rules_for(2), "a", 1, 0);
  const auto views = views_of("b", "a");
  core.heard(from("b", {"a", "c"}), 10);
  core.heard(from("c", {"a", "b"}), 10);
  for (std::int64_t t = 11; t < 500; t += 50) (void)core.tick(views, t);
  // Stopped for 20 s; the first that it reads is from one of them.
  core.heard(from("c", {"b"}), 20'500);
  CHECK(core.tick(views, 20'500).down.empty());
  core.heard(from("b", {"c"}), 20'600);
  CHECK(core.tick(views, 20'600).down.empty());
  CHECK(core.peers().at("b").state == peer_state::here);
  // And one who is gone indeed is found to be, a silence later.
  std::vector<std::string> down;
  for (std::int64_t t = 20'650; t < 26'000; t += 50) {
    core.heard(from("c", {"a"}), t);
    for (const auto& node : core.tick(views, t).down) down.push_back(node);
  }
  CHECK(down == std::vector<std::string>{"b"});
}

TEST_CASE("membership: a node that leaves gives up all at once") {
  membership_core core(rules_for(1), "b", 1, 0);
  const auto views = views_of("b", "b", 5);
  core.heard(from("a", {"b"}, 5), 10);
  (void)core.tick(views, 11);
  core.leave();
  CHECK(core.tick(views, 12).moves.size() == partitions);
  CHECK(core.says(views).draining);
}

TEST_CASE("membership: a process that has already claimed is not taken for its predecessor") {
  membership_core core(rules_for(1), "a", 1, 0);
  const auto views = views_of("b", "a", 5);
  core.heard(from("b", {"a"}, 5, 1), 10);
  (void)core.tick(views, 11);
  auto anew = from("b", {"a"}, 5, 2);
  anew.owns = {{0, 7}};
  core.heard(anew, 20);
  CHECK(core.tick(views, 21).down.empty());
}
