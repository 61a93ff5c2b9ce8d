#include "app/messages.hpp"

#include <boost/json.hpp>

#include "app/cluster.hpp"
#include "app/file_services.hpp"
#include "app/on_lane.hpp"
#include "app/services.hpp"
#include "app/tool_gateway.hpp"
#include "app/visibility.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "security/digest.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

// Small attachments that have a text are read before the model is asked; others when it asks.
std::vector<input::tool_request> read_at_once(const services& s, const tenant_id& tenant,
                                              const std::vector<attachment_ref>& attached) {
  constexpr std::string_view ingest = "document_ingest";
  constexpr std::uint64_t bytes_max = 512 * 1024;
  std::vector<input::tool_request> calls;
  const auto set = s.tools.catalog.of(tenant);
  const auto* entry = set->find(ingest);
  const auto why = s.tools.runner.unavailable(tenant, ingest);
  if (!entry || !entry->enabled || !why.empty()) return calls;
  for (const auto& one : attached) {
    if (one.size_bytes > bytes_max || one.content_type.starts_with("image/")) continue;
    json::object inputs{{"attachment_id", one.id}};
    calls.push_back({std::string(ingest), json::serialize(inputs)});
  }
  return calls;
}

// Of what is asked, whichever route and spelling it came by.
std::string hash_of(const session_id& session, const new_message& wanted) {
  std::string typed;
  json_writer w(typed);
  w.begin_object().field("session", session.value).field("text", wanted.text);
  w.field("persona_id", wanted.persona_id).key("attachments").begin_array();
  for (const auto& id : wanted.attachments) w.string(id);
  w.end_array().end_object();
  return security::hex(security::bytes_of(security::sha256(typed)));
}

std::string session_in(std::string_view answer) {
  boost::system::error_code ec;
  const auto value = json::parse({answer.data(), answer.size()}, ec);
  return ec || !value.is_object() ? std::string() : text_of(value.get_object(), "session_id");
}

// One operation, by whichever route the key came, and known by what is asked rather than by bytes.
// The version before kept keys by route: its records count for their day.
once_key key_of(once_key key, const new_message& wanted) {
  if (key.key.empty()) return key;
  key.old_operation = std::exchange(key.operation, "send_message");
  key.old_subject = std::exchange(key.subject, {});
  key.hash = hash_of(wanted.session, wanted);
  if (!wanted.session.empty())
    // Who was told which session was made may name it when asking again.
    key.also_mine = [unnamed = hash_of({}, wanted),
                     made = wanted.session.value](const storage::idempotency_record& kept) {
      return kept.request_hash == unnamed && session_in(kept.response_json) == made;
    };
  return key;
}

asio::awaitable<result<std::vector<attachment_ref>>> name_attachments(
    services& s, const admitted& in, std::vector<std::string> ids) {
  if (ids.empty()) co_return std::vector<attachment_ref>();
  auto may = co_await s.pipeline.ask(in, "attachment.read", ids);
  if (!may) co_return may.error();
  auto look = [&store = s.files.attachments, who = attachment_reader_of(in.who()),
               ids = std::move(ids)] { return store.name(who, ids); };
  co_return co_await on_lane(s.files.reads, look);
}

input::command command_of(const session_action& wanted) {
  if (wanted.action == "stop") return input::stop{wanted.tool_call_id};
  if (wanted.action == "pause") return input::pause{true};
  if (wanted.action == "resume") return input::pause{false};
  if (wanted.action == "retry") return input::retry{};
  if (wanted.action == "summarize") return input::summarize{};
  return input::nudge{};
}

// A session that ends, or was quarantined, is folded anew.
asio::awaitable<result<command_reply>> restart_session(services& s, const admitted& in,
                                                       session_id session) {
  actors::restart_request request;
  request.key = {in.who().tenant, std::move(session)};
  request.from = origin_of(in.who());
  auto head = co_await s.head(request.key);
  if (!head) co_return head.error();
  auto done = co_await s.ask_tenant<actors::command_outcome>(in.who(), std::move(request));
  if (!done) co_return done.error();
  co_return std::move(done->reply);
}

}  // namespace

std::string envelope_id(const command_reply& reply) {
  return derived_uuid({"envelope", reply.message_id});
}

asio::awaitable<result<answered<command_reply>>> send_message(services& s, const admitted& in,
                                                              once_key key, new_message wanted) {
  const auto& who = in.who();
  const auto text = key.key;
  auto gate = co_await s.idempotency.enter(who, key_of(std::move(key), wanted));
  if (!gate) co_return gate.error();
  input::message message;
  message.text = std::move(wanted.text);
  auto session = wanted.session;
  if (session.empty()) {
    // Never one that was there before. The same request sent twice makes no second one: its key is
    // kept with the session's first events or not at all, and the kept answer names the session.
    session = fresh_session(s, who, text);
    message.create = input::open{std::move(wanted.persona_id), {}};
  }
  if (!gate->replay) {
    auto named = co_await name_attachments(s, in, std::move(wanted.attachments));
    if (!named) co_return named.error();
    message.attachments = std::move(*named);
    message.prepare = read_at_once(s, who.tenant, message.attachments);
  }
  input::command what = std::move(message);
  auto reply = co_await s.command(in, session, std::move(what), &*gate);
  if (!reply) co_return reply.error();
  if (reply->session_id.empty())  // an answer of the version before names none
    reply->session_id = !wanted.session.empty()
                            ? wanted.session.value
                            : derived_uuid({"session", who.tenant.value, who.user.value, text});
  co_return answered<command_reply>(std::move(*reply), gate->replay.has_value());
}

asio::awaitable<result<command_reply>> act_on_session(services& s, const admitted& in,
                                                      session_action wanted) {
  if (wanted.action == "restart")
    co_return co_await restart_session(s, in, std::move(wanted.session));
  auto command = command_of(wanted);
  co_return co_await s.command(in, wanted.session, std::move(command));
}

asio::awaitable<result<answered<event_id>>> append_event(services& s, const admitted& in,
                                                         once_key key, session_id session,
                                                         input::app_event event) {
  if (event.name.starts_with(reserved_event_prefix))
    co_return error(codes::event_name_reserved,
                    "names that begin with \"soma.\" are the server's own");
  auto gate = co_await s.idempotency.enter(in.who(), std::move(key));
  if (!gate) co_return gate.error();
  input::command what = std::move(event);
  auto reply = co_await s.command(in, session, std::move(what), &*gate);
  if (!reply) co_return reply.error();
  co_return answered<event_id>(reply->event, gate->replay.has_value());
}

asio::awaitable<result<answered<command_reply>>> give_feedback(services& s, const admitted& in,
                                                               once_key key, session_id session,
                                                               feedback said) {
  auto gate = co_await s.idempotency.enter(in.who(), std::move(key));
  if (!gate) co_return gate.error();
  input::command what = input::feedback{std::move(said)};
  auto reply = co_await s.command(in, session, std::move(what), &*gate);
  if (!reply) co_return reply.error();
  co_return answered<command_reply>(std::move(*reply), gate->replay.has_value());
}

}  // namespace soma::app
