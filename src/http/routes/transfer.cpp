// Fork, export and import of a session.
#include <boost/json.hpp>

#include "app/conversation_json.hpp"
#include "app/session_copies.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "http/net/ascii.hpp"
#include "http/net/file_answer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

constexpr std::string_view document_type = "application/x-ndjson";

response created(const session_id& session, std::string body, bool replayed) {
  response answer(201, std::move(body));
  answer.headers.emplace_back("Location", "/v1/sessions/" + session.value);
  mark_replayed(answer, replayed);
  return answer;
}

asio::awaitable<response> fork_session(gateway& g, request_context& ctx) {
  auto key = once_key_of(ctx);
  if (!key) co_return problem(key.error(), ctx);
  auto event = text_of(ctx.json.as_object(), "event_id");
  auto made = co_await app::fork_session(g.services, admitted_of(ctx), std::move(*key),
                                         key_of(ctx).session, std::move(event));
  if (!made) co_return problem(made.error(), ctx);
  const auto& c = made->what;
  tell_made(ctx, {c.session.value});
  co_return created(c.session, app::conversation_json(c.session, c.head.info, c.head.last_id()),
                    made->replayed);
}

asio::awaitable<response> export_session(gateway& g, request_context& ctx) {
  const session_id session(text_of(ctx.json.as_object(), "session_id"));
  auto document = co_await app::export_session(g.services, admitted_of(ctx), session);
  if (!document) co_return problem(document.error(), ctx);
  response answer;
  answer.content_type = document_type;
  answer.headers.emplace_back("Content-Disposition",
                              "attachment; filename=\"" + session.value + ".ndjson\"");
  answer.produce = [document = *document](response_stream& out) {
    return send_pieces(document, out);
  };
  co_return answer;
}

response refused_document(const error& why, std::uint64_t line, request_context& ctx) {
  if (why.code != codes::import_invalid && why.code != codes::event_too_large)
    return problem(why, ctx);
  return problem(why, ctx, {{"line", std::to_string(line)}});
}

asio::awaitable<response> import_session(gateway& g, request_context& ctx) {
  const auto type = ctx.header("Content-Type");
  if (!iequals(trim(type.substr(0, type.find(';'))), document_type))
    co_return problem(
        error(codes::request_unsupported_media_type, "this route takes application/x-ndjson"), ctx);
  auto key = once_key_of(ctx);
  if (!key) co_return problem(key.error(), ctx);
  std::uint64_t line = 0;
  auto made =
      co_await app::import_session(g.services, admitted_of(ctx), std::move(*key), ctx.stream, line);
  if (!made) co_return refused_document(made.error(), line, ctx);
  ctx.admitted->about(made->what.session.value);
  std::string body;
  json_writer w(body);
  w.begin_object().field("session_id", made->what.session.value);
  w.field("events", made->what.events).field_bool("created", made->what.created).end_object();
  co_return created(made->what.session, std::move(body), made->replayed);
}

}  // namespace

void add_transfer_routes(router& routes, gateway& g) {
  add_operation(routes, g, "fork_session", fork_session);
  add_operation(routes, g, "export_session", export_session);
  add_operation(routes, g, "import_session", import_session);
}

}  // namespace soma::http
