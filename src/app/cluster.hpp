// The cluster that a node is in, as use cases and doors see it: who owns what, how far this node
// has read, who else is there. A node alone is in none, and asks nothing of this.
//
// Thread-safe; never blocks. Lifetime: what it stands on outlives it, and it outlives the doors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/operations.hpp"
#include "app/pipeline.hpp"
#include "cluster/partition_host.hpp"
#include "cluster/read_position.hpp"
#include "core/ids.hpp"

namespace soma::peers {
class node_links;
}

namespace soma::app {

class services;

struct cluster_needs {
  cluster::partition_host& host;
  peers::node_links& links;
  std::string node;
  std::int64_t auth_lag_max_ms = 5'000;
};

class cluster_node {
 public:
  explicit cluster_node(const cluster_needs& needs) : on_(needs) {}

  struct owner {
    std::string node;  // empty: nobody's, or given up
    std::string door;  // host:port of its door for nodes; empty: it is not heard
    std::uint32_t epoch = 0;
    bool here = false;     // and its lease holds: what it says of the partition is so
    bool is_next = false;  // this node has claimed it, and may not act yet; or it gives it up
  };
  // Where this node does not read the partition's log, as the other nodes say.
  owner owner_of(std::uint32_t partition) const;
  // host:port of the door of a node that is heard; none where it is not.
  std::optional<std::string> door_of(const std::string& node) const;
  const std::string& node() const { return on_.node; }
  std::vector<std::string> others() const;  // nodes that are known

  std::uint32_t partition_of(const session_key& session) const;
  std::uint32_t partition_of(const tenant_id& tenant) const;
  // Of what a caller makes with that key: the same for the same key, so that a second request with
  // it meets the first one's record. Without one: one that this node owns, else one that has an
  // owner.
  std::uint32_t partition_of_new(const caller& who, std::string_view key) const;

  // Whether what is in it may be read here: not where the node has no copy, or has stopped it.
  bool follows(std::uint32_t partition) const;
  // What is applied here; none before anything is.
  std::optional<cluster::read_position> position(std::uint32_t partition) const;
  // True, too, of what this node does not follow: it never will.
  bool has_applied(const cluster::read_position& wanted) const;
  // False: this node does not know any more which keys were revoked.
  bool knows_keys() const;
  // Now, by the clock of another node.
  std::int64_t time_at(const std::string& node) const;

  cluster::partition_host& host() const { return on_.host; }
  peers::node_links& links() const { return on_.links; }

 private:
  const cluster_needs on_;
};

// Null: this node is alone.
cluster_node* cluster_of(services& s);

// Which partition's owner has to carry the operation out; none: whichever node was asked.
// `session`: that it is about, empty where it names none; `key`: its Idempotency-Key.
std::optional<std::uint32_t> partition_for(const cluster_node& in, const operation& what,
                                           const caller& who, const session_id& session,
                                           std::string_view key);

// Whether that partition is one of partition_of_new.
bool draws_its_partition(const operation& what, const session_id& session);

// An id that no session has. In a cluster it is one of partition_of_new's partition.
session_id fresh_session(const services& s, const caller& who, std::string_view key = {});

struct cluster_overview {
  bool clustered = false;
  std::string node;
  bool draining = false;
  struct member {
    std::string node, address, version, state;
    std::vector<std::string> roles;
    std::int64_t since_ms = 0;
  };
  struct standby {
    std::string node;
    std::uint64_t lag = 0;  // records that it has yet to read
  };
  struct partition {
    std::uint32_t partition = 0, epoch = 0;
    std::string owner;
    std::uint64_t head = 0;  // records in its log
    std::vector<standby> standbys;
    std::string stopped;  // why this node reads it no more; empty: it does
  };
  std::vector<member> nodes;
  std::vector<partition> partitions;
  std::vector<std::string> refused;  // nodes that do not fit, each with why
  std::size_t moves_under_way = 0;
  std::optional<partition> of_session;
};

// For admins of the operator's tenant (caller.hpp): auth.forbidden. `session`: empty for none.
result<cluster_overview> look_at_cluster(services& s, const caller& who, const session_id& session);
// Without who asks, for who has the machine.
cluster_overview overview_of(const cluster_node* in);

// From now on the node owns only what no other can, or again its share. Errors: auth.forbidden,
// cluster.absent.
result<void> drain_node(services& s, const admitted& in, bool wanted);

struct cluster_figures {
  std::size_t nodes = 0, owned = 0, stopped = 0, without_owner = 0;
  std::uint64_t lag_max = 0;          // records, of any partition that is read here
  std::uint64_t standby_lag_max = 0;  // of a standby of one that is owned here
  std::size_t refused = 0;
  std::uint64_t gained = 0;
};
cluster_figures figures_of(const cluster_node& in);

}  // namespace soma::app
