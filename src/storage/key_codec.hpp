// Keys and values as bytes; docs/event-log.md is the prose. Keys sort as memory does: tenant first,
// numbers big-endian, so that a tenant and a session are each one range. Ids hold no NUL byte,
// which makes every prefix unambiguous. Pure. Private to storage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/event_log.hpp"

namespace soma::storage {

std::string session_prefix(const session_key& key);                // tenant 0 session 0
std::string event_key(const session_key& key, std::uint64_t seq);  // prefix, seq
std::uint64_t seq_of(std::string_view event_key);
// The session_prefix that these bytes begin with; empty where they are no event's key.
std::string_view prefix_of_event(std::string_view bytes);
std::string tenant_prefix(const tenant_id& tenant);  // tenant 0
// The newest first: tenant 0, complement of updated_at_ms, session.
std::string recency_key(const session_key& key, std::int64_t updated_at_ms);
// The oldest first: created_at_ms, the record's key.
std::string age_key(std::int64_t created_at_ms, std::string_view record_key);
struct age_key_view {
  std::int64_t created_at_ms = 0;
  std::string_view record_key;
};
std::optional<age_key_view> parse_age_key(std::string_view bytes);
std::string document_key(std::string_view collection, std::string_view key);
std::optional<session_key> parse_session_prefix(std::string_view bytes);
// The first key behind everything that begins with `prefix`.
std::string after_prefix(std::string prefix);

inline constexpr std::size_t event_header_bytes = 6;  // version, type, epoch
std::string event_value(event_type type, std::uint32_t epoch, std::string_view json);
struct event_value_view {
  event_type type{};
  std::uint32_t epoch = 0;
  std::string_view json;
};
std::optional<event_value_view> parse_event_value(std::string_view bytes);

std::string encode_head(const session_head& head);
std::optional<session_head> decode_head(std::string_view bytes);

std::string encode_record(const idempotency_record& record);
std::optional<idempotency_record> decode_record(std::string_view key, std::string_view bytes);

void put_number(std::string& out, std::uint64_t value, int bytes);
std::uint64_t get_number(std::string_view bytes);  // all of them, big-endian

}  // namespace soma::storage
