// GET and POST /v1/admin/backup.
#include "app/backups.hpp"

#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/parameters.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

void write_status(json_writer& w, const backup::keeper_status& now) {
  w.field("state", backup::to_string(now.what));
  if (now.started_at_ms > 0) w.field("started_at", format_rfc3339(now.started_at_ms));
  if (now.ended_at_ms > 0) w.field("ended_at", format_rfc3339(now.ended_at_ms));
  w.field("files", now.so_far.files).field("bytes", now.so_far.bytes);
  w.field("new_bytes", now.so_far.new_bytes);
  w.field_if("backup_id", now.backup_id).field_if("detail", now.why);
}

asio::awaitable<response> list_backups(gateway& g, request_context& ctx) {
  query_reader query(ctx);
  if (auto bad = query.rest()) co_return problem(*bad, ctx);
  auto found = co_await app::list_backups(g.services, ctx.caller);
  if (!found) co_return problem(found.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field_bool("set_up", found->set_up);
  write_status(w, found->last);
  w.key("backups").begin_array();
  for (const auto& one : found->known.all) {
    w.begin_object().field("backup_id", one.id).field("made_at", format_rfc3339(one.made_at_ms));
    w.field("version", one.version).field("files", one.files).field("bytes", one.bytes);
    w.field("new_bytes", one.new_bytes).end_object();
  }
  w.end_array().key("damaged").begin_array();
  for (const auto& one : found->known.damaged) w.string(one);
  w.end_array().end_object();
  co_return answer;
}

asio::awaitable<response> begin_backup(gateway& g, request_context& ctx) {
  auto begun = app::begin_backup(g.services, admitted_of(ctx));
  if (!begun) co_return problem(begun.error(), ctx);
  response answer(202);
  json_writer w(answer.body);
  w.begin_object();
  write_status(w, *begun);
  w.end_object();
  co_return answer;
}

}  // namespace

void add_backup_routes(router& routes, gateway& g) {
  add_operation(routes, g, "list_backups", list_backups);
  add_operation(routes, g, "begin_backup", begin_backup);
}

}  // namespace soma::http
