// Where a stream starts: the rules of the contract for Last-Event-ID and ?after=. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "app/log_reader.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"

namespace soma::http {

struct stream_start {
  std::uint64_t cursor = 0;            // events after this seq are sent
  std::optional<event_id> position{};  // told first, as an id without data (after=end)
  bool reset = false;                  // stream.reset is sent first …
  std::optional<event_id> from{};      // … with this; absent: the client drops all
};

// The header wins over the parameter; both absent or empty is `start`. Errors: event_id.malformed.
//
// An id is in the log when its seq lies between the head's first_seq and seq and its epoch wrote
// that seq. first_seq moves at a reset only, so an id whose event was trimmed is still in the log.
result<stream_start> plan_stream(const app::session_head& head,
                                 std::optional<std::string_view> last_event_id,
                                 std::optional<std::string_view> after);

}  // namespace soma::http
