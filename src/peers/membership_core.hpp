// Which nodes of a cluster live, in which order this node may claim a partition, and when and to
// whom it gives up one that it owns. Pure: time comes with each input and only grows, what is to be
// done comes out of `tick`. One thread at a time.
//
// Nothing here decides who owns a partition: its log does (cluster/partition_core.hpp). What two
// nodes see differently for a while costs time, and no answer.
//
// A node whose link is gone is called down when nobody who is still heard has a link to it. So a
// cut between two nodes, or one way only, takes no partition from a node that the others reach;
// one that has stopped falls silent in the log as well, which partition_replica sees by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/partition_host.hpp"
#include "cluster/placement.hpp"

namespace soma::peers {

struct membership_rules {
  std::uint32_t partitions = cluster::partitions_default;
  std::size_t copies = 2;               // of a partition: the owner's, and those of its standbys
  std::size_t others = 0;               // nodes that are configured beside this one
  std::int64_t silence_ms = 3'000;      // a link that says nothing for so long is gone
  std::int64_t confirm_ms = 1'000;      // for the others to say whether they lost it, too
  std::int64_t join_ms = 3'000;         // before a node that does not hear all others claims
  std::int64_t settle_ms = 2'000;       // since nodes came or went, before partitions are moved
  std::int64_t move_ms_max = 30'000;    // a move that takes longer makes room for another
  std::int64_t again_ms = 5'000;        // before a move that came back is tried again, doubling …
  std::int64_t again_ms_max = 600'000;  // … up to this; who keeps it so long is trusted again
  std::size_t moves_max = 2;            // that this node gives up at the same time
  cluster::log_offset lag_max = 1'000;  // offsets that a node may be behind, to take a partition
};

inline constexpr std::size_t nodes_max = 64;  // that live; more are not listened to

// What a node says of itself, again and again.
struct heard_from {
  std::string node;
  std::uint64_t incarnation = 0;  // of its process
  bool draining = false;
  std::vector<cluster::log_offset> next;  // a partition's: what is applied there; nowhere: stopped
  std::vector<std::string> sees;          // the nodes that it has a link to
  // Partitions that it owns, each with the epoch of its claim: for who cannot read that itself.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> owns{};
};

struct orders {
  struct rank {
    std::uint32_t partition = 0;
    std::optional<std::uint32_t> goes_after;  // partition_host::may_claim
  };
  struct move {
    std::uint32_t partition = 0;
    std::string to;
  };
  std::vector<std::string> joined, lost;  // for the log: links that came and went
  std::vector<std::string> down;          // partition_host::node_down
  std::vector<rank> ranks;                // those that changed
  std::vector<move> moves;                // partition_host::give_up
  bool speak = false;                     // say to all at once what is known now
};

enum class peer_state : std::uint8_t {
  here,     // heard of
  doubted,  // its link is gone: whether others have theirs is not known yet
  beyond,   // no link from here, but others have one
  down,
};

std::string_view to_string(peer_state state);

class membership_core {
 public:
  // `incarnation`: of this process.
  membership_core(const membership_rules& rules, std::string self, std::uint64_t incarnation,
                  std::int64_t now_ms);

  // A node spoke over its link. False: it is not listened to (it says another number of partitions,
  // bears this node's name, or is one too many).
  bool heard(const heard_from& said, std::int64_t now_ms);
  // The link to this process of it is gone.
  void link_gone(const std::string& node, std::uint64_t incarnation, std::int64_t now_ms);
  // Holds nothing any more that another can hold.
  void drain(bool wanted) { draining_ = wanted; }
  // Drains for its end: all at once, however many move at the same time else.
  void leave() { draining_ = leaving_ = true; }

  // `views`: of all partitions, by their numbers. Some times in a heartbeat, and after each of the
  // above.
  orders tick(std::span<const cluster::partition_view> views, std::int64_t now_ms);

  // What this node says of itself.
  heard_from says(std::span<const cluster::partition_view> views) const;

  struct peer {
    std::uint64_t incarnation = 0;
    peer_state state = peer_state::here;
    std::int64_t since_ms = 0;  // of the state
    std::int64_t heard_ms = 0;
    bool draining = false;
    std::vector<cluster::log_offset> next;
    std::set<std::string> sees;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> owns;
  };
  const std::map<std::string, peer>& peers() const { return peers_; }
  bool draining() const { return draining_; }
  std::size_t moves_under_way() const { return moving_.size(); }
  bool may_claim_yet() const { return ready_; }

 private:
  void look_at_links(std::int64_t now_ms, orders& out);
  void order_ranks(std::span<const cluster::partition_view> views, orders& out);
  void order_moves(std::span<const cluster::partition_view> views, std::int64_t now_ms,
                   orders& out);
  void look_at_moves(std::span<const cluster::partition_view> views, std::int64_t now_ms);
  bool has_stopped(const std::string& node, const cluster::partition_view& view) const;
  bool make_room();

  // A partition that this node gave to another, until that one has kept it for long.
  struct given {
    std::int64_t at_ms = 0;                  // 0: it came back
    std::int64_t wait_ms = 0, until_ms = 0;  // before it is given there again
  };

  const membership_rules rules_;
  const std::string self_;
  const std::uint64_t incarnation_;
  const std::int64_t began_ms_;
  std::map<std::string, peer> peers_;
  std::set<std::string> told_;         // as joined
  std::vector<std::string> replaced_;  // by another process of the same name
  std::vector<std::optional<std::uint32_t>> ranks_;
  std::map<std::uint32_t, std::int64_t> moving_;  // since when
  std::map<std::pair<std::uint32_t, std::string>, given> given_;
  std::int64_t changed_ms_;  // when nodes last came or went
  std::optional<std::int64_t> ticked_ms_;
  bool draining_ = false, leaving_ = false, ready_ = false, speak_ = false;
};

}  // namespace soma::peers
