// The bytes of a stream other than its events' own frames (core/session_feed.hpp has those), and
// the reading of its parameters. Pure; thread-safe. Format: the WHATWG HTML standard, chapter
// "Server-sent events", and schemas/event.schema.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/event.hpp"
#include "core/ids.hpp"

namespace soma::http {

std::string retry_block(unsigned retry_ms);
// An id without data: moves the client's Last-Event-ID and dispatches nothing.
std::string position_block(event_id id);
std::string heartbeat_frame(const session_id& session, std::int64_t now_ms);
// `from` stands in the data as the contract says, and in a payload for those who read envelopes.
std::string stream_reset_frame(const session_id& session, std::int64_t now_ms,
                               std::optional<event_id> from);
// The end of a stream whose own session.close event can no longer be had; it has no id.
std::string session_close_frame(const session_id& session, std::int64_t now_ms,
                                std::string_view reason);
// A change on the tenant's stream: no id, `data` is an envelope with the given payload.
std::string ephemeral_frame(std::string_view type, std::int64_t now_ms,
                            std::string_view payload_json);

// `types=a,b` as the bits of app::read_options::types, session.close always among them. The
// stream's own stream.reset and heartbeat may be named and change nothing. Names
// that no event has are refused with request.invalid_parameter, as is an empty list.
result<std::uint32_t> parse_types(std::string_view list);

}  // namespace soma::http
