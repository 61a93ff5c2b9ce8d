// A record of the audit as it is on the topic `audit.events`: the contract's envelope, of type
// audit.record, whose payload is the chain's line, byte for byte, so that its hash can be checked.
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kafka/record_headers.hpp"

namespace soma::outbound {

inline constexpr std::size_t audit_record_bytes_max = 1024 * 1024;

struct audit_envelope {
  std::string value;
  kafka::record_headers headers;  // idempotency_key: CHAIN/SEQ
};

// Of a line that would be larger than a record may be the payload is its `seq`, `at`, `what`,
// `prev_hash` and `hash` alone, and `left_out` says so.
audit_envelope audit_envelope_of(std::string_view chain, std::uint64_t seq, std::string_view line);

}  // namespace soma::outbound
