#include "memory/rating.hpp"

#include <variant>

#include "core/codes.hpp"
#include "core/feedback.hpp"
#include "memory/item.hpp"

namespace soma::memory {
namespace {

constexpr std::string_view row_kind = "feedback\n";
// Of the messages of a session, the newest first: an answer that is further back is not looked for.
constexpr std::size_t pages_max = 200;

constexpr std::uint32_t mask_of(event_type type) {
  return 1u << static_cast<unsigned>(type);
}

}  // namespace

storage::outbox_row to_outbox(const rating& of) {
  auto payload = std::string(row_kind) + of.key.tenant.value + '\n' + of.key.session.value + '\n' +
                 of.message_id + '\n' + of.user;
  return {std::string(brain_sink), std::move(payload)};
}

std::optional<rating> read_rating(std::string_view payload) {
  if (!payload.starts_with(row_kind)) return std::nullopt;
  payload.remove_prefix(row_kind.size());
  std::string_view parts[3];
  for (auto& part : parts) {
    const auto end = payload.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    part = payload.substr(0, end);
    payload.remove_prefix(end + 1);
  }
  if (payload.find('\n') != std::string_view::npos) return std::nullopt;
  rating out;
  out.key = {tenant_id(std::string(parts[0])), session_id(std::string(parts[1]))};
  out.message_id = parts[2];
  out.user = payload;
  return out;
}

void add_feedback(storage::append_op& op, const event& e, bool replicated) {
  storage::add_feedback(op.documents, e);
  const auto* said = std::get_if<body::app_event>(&e.body);
  if (!replicated || !said || said->name != feedback_event) return;
  op.outbox.push_back(to_outbox({e.meta.key, feedback_message(said->data_json), e.meta.user_id}));
}

result<std::optional<rated_turn>> read_rated(const storage::event_log& log, const rating& of) {
  using found = std::optional<rated_turn>;
  const auto key = storage::feedback_prefix(of.key) + of.message_id + '\n' + of.user;
  auto record = log.get_document(storage::feedback_collection, key);
  if (!record) return record.error();
  if (!*record) return found();
  rated_turn out;
  out.data_json = std::move(**record);
  std::string turn;
  storage::read_options options;
  options.backwards = true;
  options.types = mask_of(event_type::message_user) | mask_of(event_type::message_assistant);
  for (std::size_t pages = 0; pages < pages_max; ++pages) {
    const auto page = log.read(of.key, options);
    if (!page && page.error().code == codes::session_not_found) return found();
    if (!page) return page.error();
    for (const auto& stored : page->events) {
      const auto e = decode(stored.json);
      if (!e) continue;
      if (const auto* answer = std::get_if<body::message_assistant>(&e->body)) {
        if (answer->message_id != of.message_id) continue;
        out.response = answer->text;
        turn = answer->turn_id;
      } else if (const auto* asked = std::get_if<body::message_user>(&e->body)) {
        if (turn.empty() || asked->message_id != turn) continue;
        out.query = asked->text;
        return found(std::move(out));
      }
    }
    if (page->end) break;
    options.before_seq = page->scanned_seq;
  }
  return turn.empty() ? found() : found(std::move(out));
}

}  // namespace soma::memory
