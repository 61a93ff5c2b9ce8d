// What nodes tell each other over their links. A message has a number of the protocol in it; a node
// that speaks another is told so and not listened to. Values; nothing of a conversation and no
// secret goes this way.
#pragma once

#include <caf/meta/type_name.hpp>
#include <caf/type_id.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace soma::peers {

inline constexpr std::uint16_t protocol_version = 2;
inline constexpr unsigned incarnation_random_bits = 20;

// The first word, and the answer to it; said again when its sender's door opens. What it says is
// believed once its sender has proved that it has the cluster's secrets (handshake.hpp): the answer
// proves it at once, who spoke first by a `proof` behind it. No word is of use to who overhears it.
struct hello {
  std::uint16_t protocol = protocol_version;
  std::string cluster;  // its name
  std::string node;
  std::uint64_t incarnation = 0;  // of the process: when it began, in ms since 1970, and a draw
  std::uint32_t partitions = 0;
  std::string version;       // of the program, for people
  std::uint32_t format = 0;  // of records, that it writes at most
  std::string http;          // host:port at which it takes over requests; empty: not yet
  std::vector<std::string> roles;
  std::string nonce;                                // drawn for this one
  std::string server_key, enc_key, internal_token;  // in an answer: proofs
  std::string refused;  // in an answer: why its sender does not let the other in
};

struct proof {
  std::string nonce;                                // of the answer that asked for it
  std::string server_key, enc_key, internal_token;  // over both nonces and the hello
  std::string refused;  // why its sender does not let the other in, or goes no further
};

struct heartbeat {
  std::uint16_t protocol = protocol_version;
  std::string node;
  std::uint64_t incarnation = 0, number = 0;  // of this one: the last told, plus one
  bool draining = false;
  std::vector<std::int64_t> next;
  std::vector<std::string> sees;
  std::vector<std::uint32_t> owned, epochs;  // partitions, and of each the epoch of its claim
  std::int64_t wall_ms = 0;                  // its sender's clock
};

// That it was read. Who is not answered stops talking, so that nothing gathers.
struct heartbeat_read {
  std::uint64_t number = 0;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, hello& x) {
  return f(caf::meta::type_name("hello"), x.protocol, x.cluster, x.node, x.incarnation,
           x.partitions, x.version, x.format, x.http, x.roles, x.nonce, x.server_key, x.enc_key,
           x.internal_token, x.refused);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, proof& x) {
  return f(caf::meta::type_name("proof"), x.nonce, x.server_key, x.enc_key, x.internal_token,
           x.refused);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, heartbeat& x) {
  return f(caf::meta::type_name("heartbeat"), x.protocol, x.node, x.incarnation, x.number,
           x.draining, x.next, x.sees, x.owned, x.epochs, x.wall_ms);
}

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, heartbeat_read& x) {
  return f(caf::meta::type_name("heartbeat_read"), x.number);
}

}  // namespace soma::peers

CAF_BEGIN_TYPE_ID_BLOCK(soma_peers, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(soma_peers, (soma::peers::hello))
CAF_ADD_TYPE_ID(soma_peers, (soma::peers::proof))
CAF_ADD_TYPE_ID(soma_peers, (soma::peers::heartbeat))
CAF_ADD_TYPE_ID(soma_peers, (soma::peers::heartbeat_read))
CAF_END_TYPE_ID_BLOCK(soma_peers)
