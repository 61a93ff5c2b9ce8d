#include "app/conversations.hpp"

#include "actors/log_reader.hpp"
#include "app/on_lane.hpp"
#include "app/on_longer.hpp"
#include "app/services.hpp"
#include "core/codes.hpp"
#include "core/uuid.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

// A conversation as Markdown, for people.
class markdown_writer {
 public:
  void add(const session_state& state) {
    for (const auto& turn : state.turns) add(turn);
    if (state.call && !state.call->text.empty()) say("Assistant", state.call->text + " …");
    for (const auto& turn : state.queue) add(turn);
  }
  std::string take() { return std::move(out_); }

 private:
  void say(std::string_view who, std::string_view text) {
    out_.append("**").append(who).append("**\n\n").append(text).append("\n\n");
  }
  void add(const turn_record& turn) {
    say("User", turn.user_text);
    for (const auto& line : turn.lines) {
      if (!line.tool_call_id.empty())
        say("Tool", "```json\n" + line.text + "\n```");
      else if (!line.text.empty())
        say("Assistant", line.text);
      for (const auto& call : line.tool_calls)
        say("Tool call", "`" + call.tool_id + "` `" + call.inputs_json + "`");
    }
  }

  std::string out_;
};

}  // namespace

asio::awaitable<result<answered<conversation>>> create_conversation(services& s, const admitted& in,
                                                                    once_key key,
                                                                    input::open wanted) {
  const auto& who = in.who();
  const auto text = key.key;
  auto gate = co_await s.idempotency.enter(who, std::move(key));
  if (!gate) co_return gate.error();
  const session_id fresh(new_uuid());  // the kept answer of a twin names another
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
  info.created_at_ms = info.updated_at_ms = reply->created_at_ms;
  made.head.seq = reply->event.seq;
  made.head.epochs = {{reply->event.epoch, reply->event.seq}};
  co_return answered<conversation>(std::move(made), gate->replay.has_value());
}

asio::awaitable<result<session_list_page>> list_conversations(services& s, const caller& who,
                                                              session_list_options options) {
  auto look = [log = &s.node.log, tenant = who.tenant, options] {
    return log->list(tenant, options);
  };
  if (options.query.empty()) co_return co_await on_lane(s.lanes.pages, std::move(look));
  // A search may look at many rows to find few.
  co_return co_await on_longer(s, who.tenant, std::move(look));
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

asio::awaitable<result<conversation>> rename_conversation(services& s, const admitted& in,
                                                          session_id session, std::string title) {
  input::command rename = input::rename{std::move(title)};
  auto reply = co_await s.command(in, session, std::move(rename));
  if (!reply) co_return reply.error();
  co_return co_await find_conversation(s, in.who(), std::move(session));
}

asio::awaitable<result<void>> delete_conversation(services& s, const admitted& in,
                                                  session_id session) {
  input::command remove = input::remove{};
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

asio::awaitable<result<history>> read_history(services& s, const caller& who, session_id session) {
  const auto place = s.histories.enter(who.tenant);
  if (!place) co_return error(codes::server_busy, "many histories are being read", 1);
  const session_key key{who.tenant, std::move(session)};
  auto head = co_await s.head(key);
  if (!head) co_return head.error();
  // All of it there: a long conversation takes seconds, which others on this io thread would wait.
  auto work = [log = &s.node.log, key]() -> result<history> {
    const auto state = actors::fold_log(*log, key);
    if (!state) return state.error();
    markdown_writer markdown;
    markdown.add(**state);
    history out;
    out.markdown = markdown.take();
    out.tokens = estimate_tokens(out.markdown);
    out.last = event_id{(*state)->epoch, (*state)->seq};
    return out;
  };
  auto made = co_await on_longer(s, who.tenant, std::move(work));
  if (made) made->place = place;
  co_return made;
}

asio::awaitable<result<context_window>> read_context_window(services& s, const caller& who,
                                                            session_id session) {
  actors::context_request request;
  request.key = {who.tenant, std::move(session)};
  auto head = co_await s.head(request.key);
  if (!head) co_return head.error();
  auto asked = co_await s.ask_tenant<actors::context_outcome>(who, std::move(request));
  if (!asked) co_return asked.error();
  if (!asked->context) co_return asked->context.error();
  context_window out;
  out.context = std::move(*asked->context);
  out.tokens_max = s.node.models.of(who.tenant)->rules.context_window;
  co_return out;
}

}  // namespace soma::app
