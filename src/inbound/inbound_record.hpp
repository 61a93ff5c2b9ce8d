// What a record of `conversation.inbound` says: the contract's envelope as its value, of type
// message.user, with the headers of kafka/record_headers.hpp. And what becomes of one that is
// refused for good: a record of `<topic>.dlq`, the same with why in its headers. Pure.
//
//   {"version":"v1","type":"message.user",
//    "meta":{"tenant_id":"…","user_id":"…","session_id":"…"?,"request_id":"…"?,"trace_id":"…"?,
//            "idempotency_key":"…"?,"event_id":…,"created_at":…},          the last two are not
//            read
//    "payload":{"text":"…","persona_id":"…"?,"attachments":[{"id":"…"}]?}}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace soma::inbound {

// As it came; holds what it has.
struct inbound_record {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::optional<std::string> key, value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;

  std::size_t bytes() const;
};

struct inbound_message {
  std::string tenant, user, session;  // session: empty, one is made for it
  std::string persona_id, text;
  std::vector<std::string> attachments;
  std::string idempotency_key;  // of the header, else of the envelope, else the record's place
  std::string request_id;       // likewise, with '-' in place of '/'
  std::string trace_id;         // 32 hexadecimal digits; empty: none was given
  std::string parent_span_id;   // 16; likewise
};

struct record_rules {
  std::string topic;
  std::vector<std::string> tenants;  // that records may speak for
  std::size_t record_bytes_max = 1024 * 1024;
};

// Errors: request.too_large, request.header_too_large, request.invalid_parameter (a header);
// request.malformed_json: no JSON, a member that comes twice; request.unknown_field,
// request.invalid; auth.forbidden: its tenant is none of those. None of them ever passes.
result<inbound_message> read_message(const inbound_record& record, const record_rules& rules);

// What a failed try of a message means.
enum class verdict : std::uint8_t {
  refused,    // no later try would go better
  may_pass,   // by itself or by others' doing; if not in time, it is refused
  will_pass,  // it is this node, or what it stands on: whatever else is tried fails, too
};
verdict verdict_of(std::string_view code);

// The headers of a record of the topic for those that were refused: its own, and error_code,
// error_detail, error_rule, origin_topic, origin_partition, origin_offset, failed_at. Its own are
// left out where they are past what is read.
std::vector<std::pair<std::string, std::optional<std::string>>> refused_headers(
    const inbound_record& record, const record_rules& rules, const error& why, std::int64_t now_ms);
// Bytes that they take, at most, beside the record's key and value.
inline constexpr std::size_t refused_headers_bytes_max = 24 * 1024;

}  // namespace soma::inbound
