// Nodes that read three logs, each as fast as it likes: two of sessions, whose records bring
// documents, and that of documents, where whoever owns it derives them and writes others under
// conditions. Records are lost and late, nodes are killed and begin again from what they had
// stored. All follows from one seed.
//
//   - Documents are a function of how far the log of documents was read: whoever has read as far
//     has the same ones, however far it has read the others.
//   - All that a session's log brought has its turn, once and in its order.
//   - What is written under a condition stands on what its writer saw, and behind all that it had
//     read.
//   - Who begins from the beginning, and reads the logs in any order, comes to the same.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "cluster/document_order.hpp"
#include "cluster/fact_table.hpp"
#include "cluster/partition_replica.hpp"
#include "cluster_invariants.hpp"

namespace soma::testing {

class documents_world {
 public:
  explicit documents_world(std::uint64_t seed);
  void run();  // throws `violation`

  struct counts {
    std::uint64_t brought = 0, derived = 0, refused = 0, written = 0, kills = 0, claims = 0,
                  holes = 0, seen = 0;
  };
  const counts& counted() const { return counts_; }

 private:
  static constexpr int nodes = 3, sources = 2, tick_ms = 10;

  using documents = std::map<std::string, std::string>;
  struct brought {
    cluster::log_offset offset = 0;
    cluster::atom what;
  };
  struct kept {  // what a node has stored, in one batch
    cluster::partition_state state;
    cluster::fact_table facts;
    documents all;
    std::array<std::map<cluster::log_offset, cluster::atom>, sources> waiting;
    std::size_t read_at = 0;
    std::array<std::size_t, sources> read_of{};
  };
  struct node {
    int index = 0;
    std::string name;
    kept has, disk;
    std::unique_ptr<cluster::partition_replica> replica;  // none: it is down
    cluster::derived_so_far so_far;
    int down = 0;
  };
  struct on_the_way {
    int due = 0, from = 0;
    std::string bytes;
    bool lost = false;
  };
  struct sent {
    int node = 0;
    std::optional<cluster::source_tag> derived;
  };

  void step(bool calm);
  void act(node& n, bool calm);
  void start(node& n);
  void kill(node& n);
  void read_documents(node& n);
  void read_source(node& n, int source);
  void bring(node& n);
  bool derive(node& n, bool well);
  void write(node& n);
  bool submit(node& n, cluster::atom one, std::optional<cluster::source_tag> derived);
  void carry_out(node& n, const cluster::actions& what, bool calm);
  void change(documents& all, const cluster::atom& one) const;
  void judge_written(const node& n, const cluster::atom& one, const documents& before);
  bool at_rest() const;
  void last_look();
  cluster::clocks now() const { return {tick_ * tick_ms, tick_ * tick_ms}; }
  std::string any_key() { return "d" + std::to_string(pick(4)); }
  std::uint64_t pick(std::uint64_t n) { return n == 0 ? 0 : random_() % n; }
  bool chance(int in_thousand) { return pick(1000) < static_cast<std::uint64_t>(in_thousand); }

  std::mt19937_64 random_;
  cluster::replica_rules rules_;
  int tick_ = 0;
  bool calm_ = false;
  std::vector<log_record> log_;
  std::array<std::vector<brought>, sources> logs_;
  std::deque<on_the_way> wire_;
  std::array<node, nodes> all_;
  std::vector<sent> sent_;
  std::vector<documents> history_;                   // behind each record of the log of documents
  std::array<cluster::log_offset, sources> turn_{};  // whose turn was last, as the first reader saw
  std::uint64_t next_text_ = 1, incarnation_ = 1;
  counts counts_;
};

}  // namespace soma::testing
