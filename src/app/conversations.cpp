#include "app/conversations.hpp"

#include "app/body_source.hpp"
#include "app/cluster.hpp"
#include "app/history_walk.hpp"
#include "app/on_lane.hpp"
#include "app/on_longer.hpp"
#include "app/page_filling.hpp"
#include "app/services.hpp"
#include "app/visibility.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "storage/head_rules.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

// Who is let in, for the record.
std::string sharing_record(const sharing_change& wanted) {
  std::string diff;
  json_writer w(diff);
  w.begin_object();
  if (wanted.visible_to_tenant)
    w.field("visibility", *wanted.visible_to_tenant ? "tenant" : "private");
  if (wanted.users) {
    w.key("shared_with").begin_array();
    for (const auto& user : *wanted.users) w.string(user);
    w.end_array();
  }
  w.end_object();
  return diff;
}

class history_steps final : public history_source {
 public:
  history_steps(services& s, const session_key& key, session_head head, std::shared_ptr<void> place)
      : s_(s),
        turn_(long_turn_of(key.tenant)),
        last_(head.last_id()),
        walk_(std::make_shared<history_walk>(s.node.log, key, std::move(head))),
        place_(std::move(place)) {}

  asio::awaitable<result<std::string>> next() override {
    std::string text;
    while (!over_ && text.size() < handed_on_bytes) {
      auto step = [walk = walk_] {
        auto more = walk->step();
        return more ? result<told>(told{std::move(*more), walk->over()})
                    : result<told>(more.error());
      };
      auto more = co_await on_lane(s_.lanes.pages, turn_, step);
      if (!more) co_return more.error();
      text += more->text;
      over_ = more->over;
    }
    bytes_ += text.size();
    co_return text;
  }
  bool over() const override { return over_; }
  std::uint64_t tokens() const override { return tokens_of_bytes(bytes_); }
  event_id last() const override { return last_; }

 private:
  struct told {
    std::string text;
    bool over = false;
  };

  services& s_;
  const std::string turn_;
  const event_id last_;
  const std::shared_ptr<history_walk> walk_;
  const std::shared_ptr<void> place_;
  std::uint64_t bytes_ = 0;
  bool over_ = false;
};

asio::awaitable<result<session_list_page>> list_some(services& s, const caller& who,
                                                     session_list_options options, bool is_long) {
  const auto tenant = who.tenant;
  auto look = [log = &s.node.log, tenant, options] { return log->list(tenant, options); };
  auto turn = turn_of(tenant);
  if (is_long) co_return co_await on_longer(s, tenant, std::move(look));
  co_return co_await on_lane(s.lanes.pages, std::move(turn), std::move(look));
}

}  // namespace

asio::awaitable<result<answered<conversation>>> create_conversation(services& s, const admitted& in,
                                                                    once_key key,
                                                                    input::open wanted) {
  const auto& who = in.who();
  const auto text = key.key;
  auto gate = co_await s.idempotency.enter(who, std::move(key));
  if (!gate) co_return gate.error();
  const session_id fresh = fresh_session(s, who, text);  // the kept answer of a twin names another
  input::command open = std::move(wanted);
  auto reply = co_await s.command(in, fresh, std::move(open), &*gate);
  if (!reply) co_return reply.error();
  conversation made;
  made.session = session_id(!reply->session_id.empty()
                                ? reply->session_id  // an answer of the version before names none
                                : derived_uuid({"create", who.tenant.value, who.user.value, text}));
  auto& info = made.head.info;
  info.title = reply->title;
  info.persona_id = reply->persona_id;
  info.user_id = who.user.value;
  info.created_at_ms = info.updated_at_ms = reply->created_at_ms;
  made.head.seq = reply->event.seq;
  made.head.epochs = {{reply->event.epoch, reply->event.seq}};
  co_return answered<conversation>(std::move(made), gate->replay.has_value());
}

asio::awaitable<result<session_list_page>> list_conversations(services& s, const caller& who,
                                                              session_list_options options,
                                                              std::size_t enough) {
  if (!sees_all(who))
    options.shows = [user = who.user.value](const session_info& info) {
      return may_see(user, info.user_id, info.sharing);
    };
  page_filling page(&session_list_page::sessions, options.cursor, options.limit, enough);
  std::size_t bytes = 0;
  while (page.goes_on()) {
    auto piece = options;
    piece.cursor = page.cursor();
    piece.limit = page.left();
    piece.bytes_max = options.bytes_max - bytes;
    // A search may look at many rows to find few, and so may one who sees few of them.
    const bool is_long = !options.query.empty() || !page.is_first();
    auto more = co_await list_some(s, who, std::move(piece), is_long);
    if (!more) co_return more.error();
    for (const auto& row : more->sessions) bytes += storage::list_bytes(row);
    page.take(std::move(*more));
    if (bytes >= options.bytes_max) page.end();
  }
  co_return std::move(page).page();
}

asio::awaitable<result<conversation>> find_conversation(services& s, const caller& who,
                                                        session_id session) {
  const session_key key{who.tenant, session};
  auto head = co_await s.head(key);
  if (!head) co_return head.error();
  conversation found;
  found.session = std::move(session);
  found.head = std::move(*head);
  co_return found;
}

asio::awaitable<result<conversation>> change_conversation(services& s, admitted& in,
                                                          session_id session,
                                                          conversation_change wanted) {
  if (!wanted.sharing.empty()) {
    const std::vector<std::string> named{session.value};
    auto may = co_await s.pipeline.ask(in, "conversation.share", named);
    if (!may) co_return may.error();
    in.changed(sharing_record(wanted.sharing));
  }
  input::command change = input::update{std::move(wanted.title), std::move(wanted.sharing)};
  auto reply = co_await s.command(in, session, std::move(change));
  if (!reply) co_return reply.error();
  co_return co_await find_conversation(s, in.who(), std::move(session));
}

asio::awaitable<result<void>> delete_conversation(services& s, const admitted& in,
                                                  session_id session, bool keep_memories) {
  input::command remove = input::remove{keep_memories};
  auto reply = co_await s.command(in, session, std::move(remove));
  if (!reply) co_return reply.error();
  co_return result<void>();
}

asio::awaitable<result<event_id>> reset_conversation(services& s, const admitted& in,
                                                     session_id session) {
  input::command reset = input::reset{};
  auto reply = co_await s.command(in, session, std::move(reset));
  if (!reply) co_return reply.error();
  co_return reply->event;
}

asio::awaitable<result<pause_outcome>> pause_conversation(services& s, const admitted& in,
                                                          session_id session, bool paused) {
  input::command what = input::pause{paused};
  auto reply = co_await s.command(in, session, std::move(what));
  if (!reply) co_return reply.error();
  pause_outcome out;
  out.paused = reply->paused;
  out.event = reply->event;
  if (out.event.seq == 0) {
    auto now = co_await find_conversation(s, in.who(), std::move(session));
    if (!now) co_return now.error();
    out.event = now->head.last_id();
  }
  co_return out;
}

asio::awaitable<result<std::shared_ptr<history_source>>> read_history(services& s,
                                                                      const caller& who,
                                                                      session_id session) {
  auto place = s.histories.enter(who.tenant);
  if (!place) co_return error(codes::server_busy, "many histories are being read", 1);
  const session_key key{who.tenant, std::move(session)};
  auto head = co_await s.head(key);
  if (!head) co_return head.error();
  std::shared_ptr<history_source> steps =
      std::make_shared<history_steps>(s, key, std::move(*head), std::move(place));
  co_return steps;
}

asio::awaitable<result<context_window>> read_context_window(services& s, const caller& who,
                                                            session_id session) {
  const auto place = s.contexts.enter(who.tenant);
  if (!place) co_return error(codes::server_busy, "many contexts are being made", 1);
  actors::context_request request;
  request.key = {who.tenant, std::move(session)};
  auto head = co_await s.head(request.key);
  if (!head) co_return head.error();
  auto asked = co_await s.ask_tenant<actors::context_outcome>(who, std::move(request));
  if (!asked) co_return asked.error();
  if (!asked->context) co_return asked->context.error();
  context_window out;
  out.place = place;
  out.context = std::move(*asked->context);
  out.tokens_max = s.node.models.of(who.tenant)->rules.context_window;
  co_return out;
}

}  // namespace soma::app
