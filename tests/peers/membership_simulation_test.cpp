// Nodes with their membership around logs that are kept ideally, under deaths, pauses, cuts, drains
// and nodes that come with nothing read. SOMA_SEED replays one run, SOMA_MEMBERSHIP_SEEDS says how
// many.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <random>

#include "../support/seed.hpp"
#include "peers/membership_core.hpp"

using namespace soma;
using namespace soma::peers;

namespace {

constexpr std::uint32_t partitions = 12;
constexpr std::int64_t step_ms = 10, heartbeat_ms = 500, lease_ms = 2'000, stagger_ms = 250;
constexpr std::size_t nodes_at_most = 5;

struct world_log {
  std::string owner, released_to;
  bool released = false;
  cluster::log_offset end = 50'000;
  std::int64_t counted_ms = 0;
};

struct sim_node {
  std::string name;
  std::uint64_t incarnation = 0;
  std::unique_ptr<membership_core> core;  // null: dead
  std::int64_t paused_until = 0, speaks_ms = 0;
  bool deaf = false;  // to Kafka: it reads nothing, writes nothing, and does not know
  std::vector<bool> stopped = std::vector<bool>(partitions);
  std::vector<cluster::log_offset> next = std::vector<cluster::log_offset>(partitions);
  std::vector<std::optional<std::uint32_t>> rank =
      std::vector<std::optional<std::uint32_t>>(partitions);
  std::vector<std::optional<std::int64_t>> down_ms =
      std::vector<std::optional<std::int64_t>>(partitions);
};

struct letter {
  std::int64_t at_ms;
  std::size_t to;
  std::optional<heard_from> said;
  std::string gone;
  std::uint64_t incarnation = 0;
};

class world {
 public:
  explicit world(std::uint64_t seed) : random(seed), nodes(nodes_at_most), logs(partitions) {
    rules.partitions = partitions;
    rules.others = 2;
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i].name = "node-" + std::to_string(i);
    for (std::size_t i = 0; i < 3; ++i) begin(i, true);
  }

  void begin(std::size_t i, bool all_read) {
    auto& one = nodes[i];
    one.core = std::make_unique<membership_core>(rules, one.name, ++incarnations, now);
    one.incarnation = incarnations;
    one.paused_until = 0;
    one.deaf = false;
    for (std::uint32_t p = 0; p < partitions; ++p) {
      one.stopped[p] = false;
      one.next[p] = all_read ? logs[p].end : 0;
      one.rank[p].reset();
      one.down_ms[p].reset();
    }
  }

  void kill(std::size_t i) {
    const auto was = nodes[i].incarnation;
    nodes[i].core.reset();
    for (std::size_t j = 0; j < nodes.size(); ++j)
      if (nodes[j].core && !cut[i][j] && !cut[j][i])
        letters.push_back({now + 20 + below(50), j, {}, nodes[i].name, was});
  }

  std::int64_t below(std::int64_t n) {
    return std::uniform_int_distribution<std::int64_t>(0, n - 1)(random);
  }

  std::vector<cluster::partition_view> views(const sim_node& one) const {
    std::vector<cluster::partition_view> all(partitions);
    for (std::uint32_t p = 0; p < partitions; ++p) {
      all[p].partition = p;
      all[p].owner = logs[p].owner;
      all[p].released = logs[p].released;
      all[p].owned_here = logs[p].owner == one.name && !one.stopped[p];
      all[p].next = one.next[p];
      if (one.stopped[p]) all[p].stopped = "for the test";
      all[p].end = logs[p].end;
    }
    return all;
  }

  void speak(std::size_t i) {
    const auto said = nodes[i].core->says(views(nodes[i]));
    for (std::size_t j = 0; j < nodes.size(); ++j)
      if (j != i && nodes[j].core && !cut[i][j])
        letters.push_back({now + 1 + below(40), j, said, {}, 0});
  }

  void claim(std::size_t i, std::uint32_t p) {
    auto& log = logs[p];
    ++claims;
    if (!log.owner.empty() && !log.released) ++takeovers;
    log.owner = nodes[i].name;
    log.released = false;
    log.counted_ms = now;
    for (auto& one : nodes) one.down_ms[p].reset();
  }

  // What partition_replica does of it.
  void replica(std::size_t i, std::uint32_t p) {
    auto& one = nodes[i];
    auto& log = logs[p];
    if (one.deaf || one.stopped[p]) return;
    if (log.owner == one.name && !log.released) {
      log.counted_ms = now;
      return;
    }
    if (!one.rank[p] || one.next[p] < log.end) return;
    const auto turn = static_cast<std::int64_t>(*one.rank[p]) * stagger_ms;
    const bool invited = log.released && log.released_to == one.name;
    const bool down = one.down_ms[p] && now - *one.down_ms[p] >= turn;
    const auto silence = log.owner.empty() ? turn : lease_ms + turn;
    if (invited || down || now - log.counted_ms >= silence) claim(i, p);
  }

  void obey(std::size_t i, const orders& what) {
    auto& one = nodes[i];
    for (const auto& node : what.down)
      for (std::uint32_t p = 0; p < partitions; ++p)
        if (logs[p].owner == node) one.down_ms[p] = now;
    for (const auto& rank : what.ranks) one.rank[rank.partition] = rank.goes_after;
    for (const auto& move : what.moves) {
      auto& log = logs[move.partition];
      CHECK(log.owner == one.name);
      if (one.deaf) continue;
      const auto to = std::find_if(nodes.begin(), nodes.end(),
                                   [&](const auto& n) { return n.name == move.to; });
      CHECK(log.end - to->next[move.partition] <= rules.lag_max + 200);
      CHECK_FALSE(to->stopped[move.partition]);
      log.released = true;
      log.released_to = move.to;
      ++moves;
    }
    CHECK(one.core->moves_under_way() <= rules.moves_max);
    if (what.speak) speak(i);
  }

  void step() {
    now += step_ms;
    std::stable_sort(letters.begin(), letters.end(),
                     [](const auto& a, const auto& b) { return a.at_ms < b.at_ms; });
    std::vector<letter> later;
    for (auto& one : std::exchange(letters, {})) {
      auto& to = nodes[one.to];
      if (!to.core) continue;
      if (one.at_ms > now || to.paused_until > now) {
        later.push_back(std::move(one));
        continue;
      }
      if (one.said)
        to.core->heard(*one.said, now);
      else
        to.core->link_gone(one.gone, one.incarnation, now);
      obey(one.to, to.core->tick(views(to), now));
    }
    letters.insert(letters.end(), later.begin(), later.end());
    for (std::uint32_t p = 0; p < partitions; ++p) logs[p].end += below(idle ? 100 : 3) == 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      auto& one = nodes[i];
      if (!one.core || one.paused_until > now) continue;
      for (std::uint32_t p = 0; p < partitions; ++p)
        if (!one.deaf && !one.stopped[p]) one.next[p] = std::min(logs[p].end, one.next[p] + 100);
      for (std::uint32_t p = 0; p < partitions; ++p) replica(i, p);
      if (now >= one.speaks_ms) {
        one.speaks_ms = now + heartbeat_ms;
        speak(i);
      }
      if (now % 50 == 0) obey(i, one.core->tick(views(one), now));
    }
  }

  void run(std::int64_t ms) {
    for (const auto until = now + ms; now < until;) step();
  }

  std::vector<std::size_t> living() const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < nodes.size(); ++i)
      if (nodes[i].core) out.push_back(i);
    return out;
  }

  // Once nothing happens any more: each partition is where it should be.
  void check_settled() {
    std::vector<std::string> able, all;
    for (const auto i : living()) {
      all.push_back(nodes[i].name);
      if (!nodes[i].core->draining()) able.push_back(nodes[i].name);
    }
    for (std::uint32_t p = 0; p < partitions; ++p) {
      INFO("partition " << p << " at " << now);
      auto those = able;
      std::erase_if(those, [&](const std::string& name) { return has_stopped(name, p); });
      CHECK(std::find(all.begin(), all.end(), logs[p].owner) != all.end());
      CHECK_FALSE(logs[p].released);
      if (!those.empty()) CHECK(logs[p].owner == cluster::holders(p, those, rules.copies)[0]);
    }
  }

  bool has_stopped(const std::string& name, std::uint32_t p) const {
    return std::any_of(nodes.begin(), nodes.end(), [&](const auto& one) {
      return one.core && one.name == name && one.stopped[p];
    });
  }

  std::mt19937_64 random;
  membership_rules rules;
  std::int64_t now = 0;
  std::uint64_t incarnations = 0;
  std::vector<sim_node> nodes;
  std::vector<world_log> logs;
  std::vector<letter> letters;
  bool cut[nodes_at_most][nodes_at_most] = {};
  std::size_t claims = 0, takeovers = 0, moves = 0;
  bool idle = false;  // little is written
};

void some_phase(world& w) {
  const auto there = w.living();
  const auto one =
      there[static_cast<std::size_t>(w.below(static_cast<std::int64_t>(there.size())))];
  const auto other =
      there[static_cast<std::size_t>(w.below(static_cast<std::int64_t>(there.size())))];
  const auto owned =
      static_cast<std::size_t>(std::count_if(w.logs.begin(), w.logs.end(), [&](const auto& log) {
        return log.owner == w.nodes[one].name;
      }));
  const auto before = w.takeovers;
  switch (w.below(8)) {
    case 0: {  // a death: what it had is taken over, each partition once, and nothing else
      if (there.size() < 3) return;
      w.kill(one);
      w.run(1'500);
      CHECK(w.takeovers - before == owned);
      w.run(30'000);
      return;
    }
    case 1: {  // dead, and back with what it had
      if (there.size() < 2) return;
      w.kill(one);
      w.run(w.below(5'000));
      w.begin(one, false);
      for (auto& next : w.nodes[one].next) next = 45'000;
      w.run(40'000);
      return;
    }
    case 2: {  // a node that comes with nothing read
      for (std::size_t i = 0; i < w.nodes.size(); ++i)
        if (!w.nodes[i].core) {
          w.begin(i, false);
          w.run(60'000);
          CHECK(w.takeovers == before);
          return;
        }
      return;
    }
    case 3: {  // a cut between two, or one way; the others see both
      if (one == other || there.size() < 3) return;
      w.cut[one][other] = true;
      w.cut[other][one] = w.below(2) == 0;
      w.run(w.below(20'000));
      CHECK(w.takeovers == before);
      w.cut[one][other] = w.cut[other][one] = false;
      w.run(20'000);
      CHECK(w.takeovers == before);
      return;
    }
    case 4: {  // stopped for a while
      w.nodes[one].paused_until = w.now + 5'000 + w.below(15'000);
      w.run(60'000);
      if (there.size() > 1)
        CHECK(w.takeovers - before == owned);  // and it takes nothing, awake again
      return;
    }
    case 5: {  // stops some partitions: others have them from then on, and they do not go round
      if (there.size() < 2) return;
      auto& x = w.nodes[one];
      std::size_t had = 0;
      for (std::uint32_t p = 0; p < partitions; ++p)
        if (w.below(2) == 0) x.stopped[p] = true, had += w.logs[p].owner == x.name;
      w.run(20'000);
      w.check_settled();
      CHECK(w.takeovers - before == had);
      const auto claims = w.claims;
      w.run(120'000);
      CHECK(w.claims == claims);
      w.kill(one);
      w.run(5'000);
      w.begin(one, true);
      w.run(40'000);
      return;
    }
    case 6: {  // deaf to Kafka for two minutes, and speaks all the while
      if (there.size() < 3) return;
      w.nodes[one].deaf = true;
      const auto claims = w.claims;
      const auto log_grows = std::exchange(w.idle, true);
      w.run(120'000);
      for (const auto& log : w.logs) CHECK_FALSE(log.owner == w.nodes[one].name);
      // Taken over once, and given back in vain a few times, each after twice the wait.
      CHECK(w.claims - claims <= partitions * 7);
      w.idle = log_grows;
      w.nodes[one].deaf = false;
      w.run(660'000);
      return;
    }
    default: {  // drained, looked at, and taken back
      if (there.size() < 2) return;
      w.nodes[one].core->drain(true);
      w.run(20'000);
      w.check_settled();
      CHECK(w.takeovers == before);
      for (const auto& log : w.logs) CHECK(log.owner != w.nodes[one].name);
      w.nodes[one].core->drain(false);
      w.run(20'000);
      CHECK(w.takeovers == before);
    }
  }
}

}  // namespace

TEST_CASE(
    "membership: partitions find their nodes through deaths, cuts, pauses, drains and newcomers") {
  const auto first = testing::seed_of("membership simulation");
  const auto count =
      std::getenv("SOMA_SEED") ? 1 : testing::number_from_environment("SOMA_MEMBERSHIP_SEEDS", 20);
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    INFO("SOMA_SEED=" << seed);
    world w(seed);
    w.run(10'000);
    w.check_settled();
    CHECK(w.claims == partitions);
    for (int phase = 0; phase < 5; ++phase) {
      some_phase(w);
      w.check_settled();
    }
  }
}
