// The headers of a record on a topic that others write or read: what goes beside the contract's
// envelope, which is its value (core/event.hpp). Pure. Records of a partition's own log have none
// (cluster/record_codec.hpp).
//
//   traceparent      W3C trace context, version 00
//   request_id       of the request that caused it
//   idempotency_key  1 to 255 printable ASCII characters
//   epoch            of the claim that it was written under, decimal
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace soma::kafka {

// Of a record from outside: past them it is refused before any is read.
inline constexpr std::size_t headers_max = 64, headers_bytes_max = 16 * 1024;

struct record_headers {
  std::string traceparent, request_id, idempotency_key;  // empty: none
  std::optional<std::uint32_t> epoch;

  bool operator==(const record_headers&) const = default;
};

// As they are written: only those that are there, in the order above. The values are those that
// `read_headers` takes.
std::vector<std::pair<std::string, std::string>> written(const record_headers& headers);

struct header_view {
  std::string_view name;
  std::optional<std::string_view> value;  // Kafka knows headers without a value
};

// Names are compared as they are; those not known are left out. A traceparent or request_id that is
// none is left out, too: a new one takes its place. What guards against doing twice is not guessed:
// request.invalid_parameter, naming the header, for a key or epoch that is none, and for a name
// that comes twice; request.header_too_large past the bounds.
result<record_headers> read_headers(std::span<const header_view> all);

// By what a record from outside is known again: its key, else its place.
std::string key_of(const record_headers& headers, std::string_view topic, std::int32_t partition,
                   std::int64_t offset);

}  // namespace soma::kafka
