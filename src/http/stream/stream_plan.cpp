#include "http/stream/stream_plan.hpp"

#include <algorithm>

#include "core/codes.hpp"

namespace soma::http {
namespace {

// The last id in the log whose epoch is not newer than the given one's, and that lies before it.
std::optional<event_id> reset_point(const app::session_head& head, event_id given) {
  std::uint64_t last = head.seq;
  for (const app::epoch_start& start : head.epochs)
    if (start.epoch > given.epoch) last = std::min(last, start.first_seq - 1);
  // An id the log has under another epoch: what the client holds at that seq is not ours either.
  if (given.seq <= last) last = given.seq == 0 ? 0 : given.seq - 1;
  if (last < head.first_seq || last == 0) return std::nullopt;
  return event_id{head.epoch_of(last), last};
}

}  // namespace

result<stream_start> plan_stream(const app::session_head& head,
                                 std::optional<std::string_view> last_event_id,
                                 std::optional<std::string_view> after) {
  const std::uint64_t before_all = head.first_seq == 0 ? 0 : head.first_seq - 1;
  std::string_view given = last_event_id.value_or("");
  if (given.empty()) {
    given = after.value_or("");
    if (given.empty() || given == "start") return stream_start{.cursor = before_all};
    if (given == "end") {
      stream_start start{.cursor = std::max(head.seq, before_all)};
      if (head.seq > 0) start.position = head.last_id();
      return start;
    }
  }
  const auto id = parse_event_id(given);
  if (!id) return error(codes::event_id_malformed, "an event id is <epoch>.<seq>, start or end");
  if (id->seq >= head.first_seq && id->seq <= head.seq && id->seq > 0 &&
      head.epoch_of(id->seq) == id->epoch)
    return stream_start{.cursor = id->seq};
  const auto from = reset_point(head, *id);
  return stream_start{.cursor = from ? from->seq : before_all, .reset = true, .from = from};
}

}  // namespace soma::http
