// Which partition a session is in, and which nodes hold a partition. Pure: every node, and every
// program that speaks to the topics, comes to the same answer from the same names.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/record.hpp"
#include "core/ids.hpp"

namespace soma::cluster {

inline constexpr std::uint32_t partitions_default = 64;  // fixed when a cluster begins
// Where what belongs to no session is written: tenants' documents, answers to keys, rows for sinks.
inline constexpr std::uint32_t documents_partition = 0;

// FNV-1a over the tenant, a zero byte and the session, mixed (splitmix64), modulo the count. The
// number is passed to Kafka as it is: its clients hash keys each in their own way.
std::uint32_t partition_of(const session_key& session, std::uint32_t partitions);
std::uint32_t partition_of(const tenant_id& tenant, std::uint32_t partitions);

// The nodes that hold `partition`: the one that should own it, then its standbys in the order in
// which they claim (partition_replica::may_claim). Rendezvous hashing: a node that comes or goes
// moves only what it holds. At most `copies`, which is standbys + 1; `nodes` in any order.
std::vector<std::string> holders(std::uint32_t partition, std::span<const std::string> nodes,
                                 std::size_t copies);

// A node as its neighbours know it.
struct member {
  std::string node;
  log_offset next = 0;    // of the partition, applied there
  bool draining = false;  // holds nothing that another can hold
};

// Whom an owner gives a partition up to: the node that should own it, once that is no more than
// `lag_max` offsets behind the owner; a draining owner gives it to the first of the holders that
// is so near. None: it keeps it. `alive`: with itself, in any order.
std::optional<std::string> gives_up_to(std::uint32_t partition, const std::string& owner,
                                       std::span<const member> alive, std::size_t copies,
                                       log_offset lag_max);

}  // namespace soma::cluster
