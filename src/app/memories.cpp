#include "app/memories.hpp"

#include <algorithm>

#include "app/conversations.hpp"
#include "app/on_lane.hpp"
#include "app/on_longer.hpp"
#include "app/on_writes.hpp"
#include "app/page_filling.hpp"
#include "app/services.hpp"
#include "app/visibility.hpp"
#include "core/codes.hpp"
#include "memory/ranking.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

memory::viewer viewer_of(const caller& who) {
  memory::viewer out;
  out.tenant = who.tenant;
  out.user = who.user;
  out.sees_all = sees_all(who);
  return out;
}

shown_memory shown(memory_item it, bool again = false) {
  shown_memory out;
  out.etag = memory::etag_of(it);
  out.what = std::move(it);
  out.again = again;
  return out;
}

constexpr int made_status = 201, again_status = 200;

// The first answer to a request with that key.
result<answered<shown_memory>> saved_before(admitted& in, const idempotency_gate::entry& gate) {
  auto it = memory::decode_item(gate.replay->response_json);
  if (!it) return error(codes::storage_corrupt, "not the answer to a new note");
  in.about(it->memory_id);
  auto made = shown(std::move(*it), gate.replay->status == again_status);
  return answered<shown_memory>(std::move(made), true);
}

memory::search_question question_of(const memory_search& asked) {
  memory::search_question out;
  out.query = asked.query;
  out.filter = asked.filter;
  out.limit = asked.limit;
  out.at = asked.at;
  out.held_message_ids = asked.held_message_ids;
  return out;
}

bool is_asked_for(const memory_item& it, const item_filter& filter) {
  const auto& kinds = filter.kinds;
  if (!filter.session_id.empty() && it.session_id != filter.session_id) return false;
  return kinds.empty() || std::find(kinds.begin(), kinds.end(), it.kind) != kinds.end();
}

result<found_memories> by_ids(const memory::memories& kept, const memory::viewer& who,
                              const memory_search& asked) {
  found_memories out;
  for (const auto& id : asked.ids) {
    if (out.items.size() == asked.limit) break;
    auto it = kept.find(who, id);
    if (it && !is_asked_for(*it, asked.filter)) continue;
    if (it)
      out.items.push_back({std::move(*it), 1});
    else if (it.error().code != codes::memory_not_found)
      return it.error();
  }
  return out;
}

result<found_memories> found_of(result<memory::found_items> found) {
  if (!found) return found.error();
  found_memories out;
  out.items = std::move(found->items);
  out.degraded = found->degraded;
  out.why = std::move(found->why);
  out.as_of = found->as_of;
  out.approximate = found->approximate;
  return out;
}

constexpr std::size_t context_query_bytes_max = 4096, context_messages_max = 6;

// The newest that was said, the last word first: of a question that is too long its end is cut.
void ask_of_context(memory_search& asked, const context_window& window) {
  const auto& parts = window.context.parts;
  std::size_t messages = 0;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (!part->message_id.empty()) asked.held_message_ids.push_back(part->message_id);
    const bool said = part->kind == "user" || part->kind == "assistant";
    if (!said || messages == context_messages_max) continue;
    if (asked.query.size() + part->text.size() > context_query_bytes_max) continue;
    ++messages;
    asked.query += part->text;
    asked.query += '\n';
  }
}

result<found_memories> recalled(const memory::memories& kept, const memory::viewer& who,
                                const memory_search& asked) {
  if (asked.query.empty()) return by_ids(kept, who, asked);
  auto question = question_of(asked);
  question.once_each = true;
  question.from_afar = true;
  question.limit = asked.limit * 4;
  auto found = found_of(kept.search(who, question));
  if (!found) return found;
  std::vector<std::string_view> sessions;
  for (const auto& one : found->items) sessions.push_back(memory::told_with(one.what));
  auto order = memory::diversified(sessions);
  if (order.size() > asked.limit) order.resize(asked.limit);
  std::sort(order.begin(), order.end());  // the best first, as ever
  std::vector<memory::found_item> taken;
  for (const auto at : order) taken.push_back(std::move(found->items[at]));
  found->items = std::move(taken);
  return found;
}

}  // namespace

asio::awaitable<result<item_page>> list_memories(services& s, const caller& who, item_filter filter,
                                                 std::string cursor, std::size_t limit) {
  page_filling page(&item_page::items, std::move(cursor), limit);
  while (page.goes_on()) {
    auto work = [&kept = s.memories, me = viewer_of(who), filter, from = page.cursor(),
                 left = page.left()] { return kept.list(me, filter, from, left); };
    auto piece = co_await on_longer(s, who.tenant, std::move(work));
    if (!piece) co_return piece.error();
    page.take(std::move(*piece));
  }
  co_return std::move(page).page();
}

asio::awaitable<result<found_memories>> search_memories(services& s, const caller& who,
                                                        memory_search asked) {
  auto work = [&kept = s.memories, me = viewer_of(who), asked = std::move(asked)] {
    return found_of(kept.search(me, question_of(asked)));
  };
  co_return co_await on_longer(s, who.tenant, std::move(work));
}

asio::awaitable<result<found_memories>> recall_memories(services& s, const admitted& in,
                                                        memory_search asked) {
  const auto& who = in.who();
  if (asked.context_of) {
    const std::vector<std::string> named{asked.context_of->value};
    auto may = co_await s.pipeline.ask(in, "conversation.read", named);
    if (!may) co_return may.error();
    auto window = co_await read_context_window(s, who, *asked.context_of);
    if (!window) co_return window.error();
    ask_of_context(asked, *window);
    if (asked.query.empty()) co_return found_memories();
  }
  auto work = [&kept = s.memories, me = viewer_of(who), asked = std::move(asked)] {
    return recalled(kept, me, asked);
  };
  co_return co_await on_longer(s, who.tenant, std::move(work));
}

asio::awaitable<result<use_page>> list_memory_uses(services& s, const caller& who, std::string id,
                                                   std::string cursor, std::size_t limit) {
  auto work = [&kept = s.memories, me = viewer_of(who), id = std::move(id),
               cursor = std::move(cursor), limit] { return kept.uses(me, id, cursor, limit); };
  co_return co_await on_longer(s, who.tenant, std::move(work));
}

asio::awaitable<result<shown_memory>> find_memory(services& s, const caller& who, std::string id) {
  auto work = [&kept = s.memories, me = viewer_of(who), id = std::move(id)] {
    return kept.find(me, id);
  };
  auto found = co_await on_lane(s.lanes.quick, std::move(work));
  if (!found) co_return found.error();
  co_return shown(std::move(*found));
}

asio::awaitable<result<answered<shown_memory>>> add_memory(services& s, admitted& in, once_key once,
                                                           memory_note note) {
  auto gate = co_await s.idempotency.enter(in.who(), std::move(once));
  if (!gate) co_return gate.error();
  if (gate->replay) co_return saved_before(in, *gate);
  memory::memories::answer_of_note answer;
  if (!gate->key.empty())
    answer = [record = s.idempotency.record_of(*gate, 0, {})](const memory::saved_note& saved) {
      auto kept = record;
      kept.status = saved.again ? again_status : made_status;
      kept.response_json = memory::encode(saved.what);
      return kept;
    };
  auto work = [&kept = s.memories, me = viewer_of(in.who()), note = std::move(note),
               answer = std::move(answer)] { return kept.save(me, note, answer); };
  auto saved = co_await on_writes(s, in.who().tenant, std::move(work));
  if (!saved) {
    auto twin = co_await s.idempotency.find_twin(*gate, saved.error());
    if (!twin) co_return twin.error();
    co_return saved_before(in, *gate);
  }
  in.about(saved->what.memory_id);
  auto made = shown(std::move(saved->what), saved->again);
  co_return answered<shown_memory>(std::move(made), false);
}

asio::awaitable<result<shown_memory>> change_memory(services& s, const admitted& in, std::string id,
                                                    memory_change change, std::string if_match) {
  auto work = [&kept = s.memories, me = viewer_of(in.who()), id = std::move(id),
               change = std::move(change),
               if_match = std::move(if_match)] { return kept.change(me, id, change, if_match); };
  auto changed = co_await on_writes(s, in.who().tenant, std::move(work));
  if (!changed) co_return changed.error();
  co_return shown(std::move(*changed));
}

asio::awaitable<result<void>> forget_memory(services& s, const admitted& in, std::string id,
                                            std::string if_match) {
  auto work = [&kept = s.memories, me = viewer_of(in.who()), id = std::move(id),
               if_match = std::move(if_match)] { return kept.forget(me, id, if_match); };
  co_return co_await on_writes(s, in.who().tenant, std::move(work));
}

asio::awaitable<result<told_memory_status>> read_memory_status(services& s, const caller& who) {
  auto work = [&kept = s.memories, tenant = who.tenant] { return kept.status(tenant); };
  auto status = co_await on_longer(s, who.tenant, std::move(work));
  if (!status) co_return status.error();
  told_memory_status out;
  out.here = std::move(*status);
  out.away = outgoing_now(s);
  if (s.out.replicator) out.followed = s.out.replicator->figures(who.tenant);
  co_return out;
}

namespace {

constexpr std::size_t exported_at_once = 32;  // 2 MiB of texts, where each is as long as may be

// What is not found by an index that is not whole would be missing, and nobody would see it.
result<void> can_all_be_found(const services& s) {
  auto why = s.memories.degraded();
  if (!why.empty()) return error(codes::storage_unavailable, std::move(why), 1);
  return {};
}

class memory_pages final : public piece_source {
 public:
  memory_pages(services& s, memory::viewer who,
               std::function<void(std::string&, const memory_item&)> line,
               std::shared_ptr<void> place)
      : s_(s), who_(std::move(who)), line_(std::move(line)), place_(std::move(place)) {}

  asio::awaitable<result<std::string>> next() override {
    std::string lines;
    while (!over_ && lines.empty()) {
      auto work = [this] { return s_.memories.list(who_, {}, cursor_, exported_at_once); };
      auto page = co_await on_longer(s_, who_.tenant, std::move(work));
      if (!page) co_return page.error();
      if (auto whole = can_all_be_found(s_); !whole) co_return whole.error();
      for (const auto& it : page->items) {
        line_(lines, it);
        lines += '\n';
      }
      cursor_ = std::move(page->next_cursor);
      over_ = cursor_.empty();
    }
    co_return lines;
  }

 private:
  services& s_;
  const memory::viewer who_;
  const std::function<void(std::string&, const memory_item&)> line_;
  const std::shared_ptr<void> place_;
  std::string cursor_;
  bool over_ = false;
};

}  // namespace

asio::awaitable<result<std::shared_ptr<piece_source>>> export_memories(
    services& s, const caller& who, std::function<void(std::string&, const memory_item&)> line) {
  if (auto whole = can_all_be_found(s); !whole) co_return whole.error();
  auto place = s.exports.enter(who.tenant);
  if (!place) co_return error(codes::server_busy, "much is being exported", 1);
  std::shared_ptr<piece_source> pages =
      std::make_shared<memory_pages>(s, viewer_of(who), std::move(line), std::move(place));
  co_return pages;
}

}  // namespace soma::app
