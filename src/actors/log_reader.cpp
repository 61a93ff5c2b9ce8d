#include "actors/log_reader.hpp"

#include "core/codes.hpp"
#include "core/may_block.hpp"
#include "observability/log.hpp"

namespace soma::actors {
namespace {

error unreadable(const session_key& key, event_id at, const error& why) {
  const auto event = to_string(at);
  log(log_level::error, "storage.damaged", {{"event_id", event}, {"detail", why.detail}},
      {{}, {}, key.session.value, key.tenant.value, {}});
  return {why.code, "session " + key.session.value + ": event " + event + ": " + why.detail};
}

}  // namespace

result<std::shared_ptr<session_state>> fold_log(const storage::event_log& log,
                                                const session_key& key) {
  auto state = std::make_shared<session_state>();
  state->key = key;
  auto head = log.head(key);
  if (!head) {
    if (head.error().code == codes::session_not_found) return state;
    return head.error();
  }
  storage::read_options options;
  options.after_seq = head->first_seq - 1;
  options.before_seq = head->seq + 1;  // what the state says of itself, and no more
  options.compact = true;
  options.types = folded_types();
  for (;;) {
    auto page = log.read(key, options);
    if (!page) return page.error();
    for (const auto& stored : page->events) {
      auto e = decode(stored.json);
      if (!e) return unreadable(key, stored.id, e.error());
      apply(*state, *e);
    }
    if (page->end) break;
    options.after_seq = page->scanned_seq;
  }
  // What a filtered or trimmed log does not show.
  state->seq = head->seq;
  state->epoch = head->epoch_of(head->seq);
  state->created_at_ms = head->info.created_at_ms;
  return state;
}

log_reader_actor::behavior_type log_reader(log_reader_actor::pointer, node_services* node) {
  this_thread_may_block();
  return {
      [node](const load_request& request) {
        loaded_session loaded;
        try {
          auto state = fold_log(node->log, request.key);
          if (state)
            loaded.state = std::move(*state);
          else
            loaded.failed = state.error();
        } catch (const std::exception& e) {  // this session's failure, not every session's
          loaded.failed = error(codes::internal, e.what());
        }
        return loaded;
      },
  };
}

}  // namespace soma::actors
