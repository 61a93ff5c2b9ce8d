// The links of this node to the others of its cluster: an actor of CAF that connects to them, says
// hello, lets in only who has the same secrets, watches them, and feeds membership_core, whose
// orders it carries to the partitions of this node (cluster/partition_host.hpp).
//
// Links are plain only on the loopback; elsewhere they go through tls_tunnel, where both ends show
// a certificate that the cluster's authority signed. Whoever has one is a node: an authority of its
// own belongs to each cluster.
//
// Bounds: nodes_max peers, one link each; at most `heartbeats_unread_max` heartbeats on their way
// to each, which are some bytes a partition. Nothing else goes over the links.
//
// Threads: made and ended by the main thread, which may block; all other members are thread-safe
// and do not block. The host outlives it, and is called on threads of CAF.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/partition_host.hpp"
#include "core/error.hpp"
#include "peers/membership_core.hpp"
#include "peers/tls_tunnel.hpp"

namespace soma::peers {

inline constexpr std::uint64_t heartbeats_unread_max = 8;

// "host:port", an address of version 6 in brackets. Error: in a sentence.
result<endpoint> parse_endpoint(const std::string& text);

// What this node says of itself, and wants of others.
struct identity {
  std::string cluster, node, version;
  std::uint32_t format = 0;
  std::string server_key, enc_key, internal_token;  // fingerprints (secret_fingerprint)
  std::string http;                                 // host:port of its door for other nodes
  std::vector<std::string> roles;
};

// With which nodes prove that they have the same secret (handshake.hpp); it is never sent.
std::string secret_fingerprint(std::string_view secret, std::string_view what_for);

struct link_options {
  identity self;
  std::string listen;              // host:port; port 0: the system chooses
  std::vector<std::string> peers;  // host:port each; this node's own address may be among them
  std::string tls_dir;             // with ca.pem, node.pem, node.key; empty: plain
  std::int64_t heartbeat_ms = 500;
  std::int64_t retry_ms = 250, retry_ms_max = 5'000;  // of a peer that cannot be reached
  membership_rules rules;                             // `others` follows from `peers`
};

struct node_seen {
  std::string node, http, version, state;  // here, doubted, beyond, down, draining
  std::vector<std::string> roles;
  std::int64_t since_ms = 0;  // of the state: milliseconds since 1970
  std::uint32_t format = 0;
  std::vector<cluster::log_offset> next;  // as it last said; empty: it never did
  bool is_self = false;
};

struct links_seen {
  std::vector<node_seen> nodes;  // this one first, then by name
  bool draining = false;
  std::size_t moves_under_way = 0;
  std::uint64_t gained = 0;          // partitions that this node came to own
  std::vector<std::string> refused;  // peers that do not fit, each with why
};

class node_links {
 public:
  // Errors: config.invalid with the key that is wrong.
  static result<std::unique_ptr<node_links>> open(link_options options,
                                                  cluster::partition_host& host);
  virtual ~node_links() = default;

  virtual std::uint16_t port() const = 0;
  virtual links_seen look() const = 0;
  // host:port of the door of a node that is heard; none where it is not.
  virtual std::optional<std::string> door_of(const std::string& node) const = 0;
  // Who owns the partition as the nodes that are heard say themselves: for where this node does not
  // read its log. None: nobody says so.
  virtual std::optional<std::string> owner_said(std::uint32_t) const { return std::nullopt; }
  // How long ago this node last knew what is in the log of the documents' partition: it read a
  // record of it, or owns it within its lease. An idle log has a record each third of a lease.
  virtual std::int64_t documents_silent_ms() const { return 0; }
  // By how much a node's clock is ahead of this one's, as it last said; 0 where it did not.
  virtual std::int64_t clock_ahead_ms(const std::string&) const { return 0; }
  virtual void drain(bool wanted) = 0;
  // Gives up all that another can take, at once: this process ends.
  virtual void leave() {}
  // Begins to link to others, and to claim. `http_door`: where this node takes over requests; empty
  // as long as it takes none. Said again when that changes.
  virtual void connect(const std::string& http_door) = 0;
};

}  // namespace soma::peers
