// What an event may say, whichever way it comes in: lengths, patterns, reserved names. Requests
// meet these rules in the session's core, imported documents before they are staged; the schemas of
// requests and of the envelope say the same to callers. Forks copy what has passed them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/event.hpp"

namespace soma {

namespace payload_limits {
inline constexpr std::size_t title_points_max = 200;        // code points
inline constexpr std::size_t message_points_max = 262'144;  // of what a person says
inline constexpr std::size_t persona_id_bytes_max = 100;
inline constexpr std::size_t event_name_bytes_max = 64;
inline constexpr std::size_t word_bytes_max = 255;         // names of models, tools, files, codes
inline constexpr std::size_t model_word_bytes_max = 4096;  // what a model or provider made up
inline constexpr std::size_t detail_bytes_max = 65536;     // sentences about failures
inline constexpr std::size_t attachments_max = 32, tool_calls_max = 128;
inline constexpr std::size_t user_id_bytes_max = 128, trace_id_bytes_max = 64;
inline constexpr std::uint64_t seq_max = (1ull << 53) - 1;      // every reader's integers
inline constexpr std::int64_t ahead_ms_max = 24 * 3600 * 1000;  // of another server's clock
}  // namespace payload_limits

// Each is empty where the text is as it should be, else why not.
std::optional<error> bad_title(std::string_view title);
std::optional<error> bad_message(std::string_view text);
std::optional<error> bad_persona(std::string_view persona_id);  // empty is none
std::optional<error> bad_event_name(std::string_view name);     // reserved ones are well-formed

// The values of any shape that an event holds, as JSON texts; those that are there.
std::vector<std::string_view> raw_json_of(const event& e);

// An event that comes from outside as a whole. `now_ms`: this server's time.
std::optional<error> bad_event(const event& e, std::int64_t now_ms);

}  // namespace soma
