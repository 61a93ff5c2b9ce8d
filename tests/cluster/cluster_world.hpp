// A cluster of nodes around one partition, for simulation: a log, a network and clocks that delay,
// double and lose records, drop acknowledgements, pause nodes (zombies), cut them off and kill
// them; clients that ask again, readers that hop between nodes, planned moves, false alarms. All
// follows from one seed.
//
// What is checked stands in cluster_invariants.hpp, and knows nothing of the rule.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "cluster/fact_table.hpp"
#include "cluster/partition_replica.hpp"
#include "cluster/read_position.hpp"
#include "cluster_invariants.hpp"

namespace soma::testing {

struct world_faults {
  bool answers_by_delivery = false;  // a delivery report is taken for the answer
  bool sends_again = false;          // what could not be delivered, by the next producer
  bool state_before_facts = false;   // the offset is stored first, and the rows perhaps never
};

class cluster_world {
 public:
  explicit cluster_world(std::uint64_t seed, world_faults planted = {});

  // Some seconds with faults, then calm until everything has come to rest. Throws `violation`.
  void run();

  struct counts {
    std::uint64_t records = 0, voided = 0, refused = 0, claims = 0, releases = 0;
    std::uint64_t kills = 0, pauses = 0, written = 0, not_written = 0, effects = 0, absences = 0;
    std::uint64_t gaps = 0;
  };
  const counts& counted() const { return counts_; }
  const std::vector<log_record>& log() const { return log_; }

 private:
  static constexpr int nodes = 3, tick_ms = 10;

  struct stored {  // what a node has on its disk
    cluster::partition_state state;
    cluster::fact_table facts;
    std::size_t read_at = 0, shown = 0;
  };
  struct question {
    std::uint64_t token = 0;
    std::size_t attempt = 0;
  };
  struct node {
    int index = 0;
    std::string name;
    std::unique_ptr<cluster::partition_replica> replica;  // none: it is down
    cluster::fact_table facts;
    std::size_t read_at = 0, shown = 0;  // of log_, of the history
    stored disk;
    std::uint64_t incarnation = 0;
    std::uint64_t producer = 0;         // which of its producers lives
    std::set<std::string> refused;      // sessions of which something was refused under this claim
    int paused = 0, down = 0, cut = 0;  // ticks left
    bool moving = false;
    std::string move_to;
    double rate = 1;
    std::int64_t monotonic_from = 0, wall_from = 0;
    std::map<std::string, std::uint64_t> heads;  // as its session actors fold them
    cluster::log_offset relayed = 0;             // of the source that it derives rows from
    cluster::catch_up gate;
    std::vector<question> questions;
    std::optional<std::pair<int, cluster::log_offset>> look;  // due, the end that it saw
  };
  struct on_the_way {
    int due = 0;
    int from = 0;
    std::uint64_t producer = 0;
    std::string bytes;
    bool lost = false, reported_lost = false;
  };
  enum class op_kind { message, document, derived, removal };
  struct operation {
    op_kind kind{};
    std::string key, session, document;
    bool guarded = true, again = false, settled = false;
    cluster::log_offset source = 0;
    int attempts = 0;
  };
  struct attempt_of {
    std::size_t operation = 0;
    int node = 0;
    std::uint64_t incarnation = 0;
  };

  void step(bool calm);
  void deliver(bool calm);
  void act(node& n, bool calm);
  void disturb(node& n);
  void read(node& n);
  void begin_claim(node& n);
  void take_effects(node& n);
  void ask_readers(node& n, bool calm);
  void answer_questions(node& n, const std::vector<std::uint64_t>& ready);
  void work(node& n, bool calm);
  void submit(node& n, std::size_t op);
  void told_nothing(node& n, std::size_t attempt);
  void new_producer(node& n);
  void carry_out(node& n, const cluster::actions& what);
  void answered(node& n, const cluster::append_answer& answer);
  void save(node& n);
  void kill(node& n);
  void start(node& n);
  bool at_rest() const;
  void last_look();
  std::size_t new_operation();
  cluster::atom make_atom(node& n, const operation& op, std::size_t attempt);
  cluster::clocks now(const node& n) const;

  std::uint64_t pick(std::uint64_t n) { return n == 0 ? 0 : random_() % n; }
  bool chance(int in_thousand) { return pick(1000) < static_cast<std::uint64_t>(in_thousand); }

  std::mt19937_64 random_;
  const world_faults faults_;
  cluster::replica_rules rules_;
  int tick_ = 0;
  cluster::log_offset end_ = 0;
  std::vector<log_record> log_;
  std::deque<on_the_way> wire_;
  std::array<int, nodes> last_due_{};
  std::array<node, nodes> all_;
  std::vector<operation> operations_;
  std::vector<attempt_of> attempts_;
  std::vector<std::size_t> told_written_;
  std::vector<std::string> resend_;  // of sends_again
  cluster_invariants invariants_;
  std::uint64_t next_incarnation_ = 1, next_question_ = 1;
  counts counts_;
};

}  // namespace soma::testing
