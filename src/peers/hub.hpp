// The actor behind node_links. Private to it.
#pragma once

#include <caf/atom.hpp>
#include <caf/behavior.hpp>
#include <caf/io/middleman_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/may_block.hpp"
#include "peers/membership_core.hpp"
#include "peers/messages.hpp"
#include "peers/node_links.hpp"

namespace soma::peers {

using drain_atom = caf::atom_constant<caf::atom("drain")>;
using leave_atom = caf::atom_constant<caf::atom("leave")>;
using begin_atom = caf::atom_constant<caf::atom("begin")>;
using look_atom = caf::atom_constant<caf::atom("look")>;
using beat_atom = caf::atom_constant<caf::atom("beat")>;

std::int64_t monotonic_ms();

// What other threads may look at.
struct shared_view {
  mutable quick_mutex mutex;
  links_seen seen;
  std::map<std::string, std::string> doors;                   // by node
  std::map<std::string, std::int64_t> clocks;                 // by how much a node's is ahead
  std::vector<std::pair<std::string, std::uint32_t>> owners;  // as they say, with their epochs
  std::int64_t documents_heard_ms = monotonic_ms();
};

struct hub_needs {
  link_options options;
  std::vector<endpoint> peers;
  std::vector<std::string> peer_names;  // of each: what the log calls it
  cluster::partition_host* host = nullptr;
  std::shared_ptr<shared_view> shared;
  caf::strong_actor_ptr connector;  // CAF's, plain or under TLS
  std::uint64_t incarnation = 0;
};

// Connects once it was told to begin.
caf::behavior hub(caf::event_based_actor* self, hub_needs needs);

}  // namespace soma::peers
