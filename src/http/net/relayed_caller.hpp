// Who asks, as one node of a cluster tells another with a request that it hands over: a header that
// only a node can make, since it is signed with a secret of the cluster, and that is good for this
// request alone: its method, target, id and body, for half a minute. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/caller.hpp"
#include "http/net/request_context.hpp"

namespace soma::http {

inline constexpr std::string_view relayed_header = "Soma-Caller";
// Between the signature and its reading, by the clock of who reads: the signer allows for it.
inline constexpr std::int64_t relayed_age_ms_max = 30'000;

struct relayed_caller {
  app::caller who;
  std::string peer;                          // the client's address
  std::string node;                          // that hands it over
  std::int64_t at_ms = 0;                    // when, by the clock of the node that takes it over
  std::optional<std::string> body_sha256{};  // none: it is sent in pieces
};

// What such headers are signed with, of the server key that all nodes have.
std::string relay_key_of(std::string_view server_key);

// `target`: path and query as they are sent.
std::string write_relayed(std::string_view relay_key, const relayed_caller& what,
                          std::string_view method, std::string_view target,
                          std::string_view request_id);
// None: nobody who has the key wrote it for this request, just now.
std::optional<relayed_caller> read_relayed(std::string_view relay_key, std::string_view header,
                                           std::string_view method, std::string_view target,
                                           std::string_view request_id, std::int64_t now_ms);
// Whether a header that read_relayed has taken was written over this body; `in_pieces`: it comes
// so.
bool is_of_body(std::string_view header, std::string_view body, bool in_pieces);

}  // namespace soma::http
