// /v1/workdir/*: the work folder of a session (`session_id`) or of the tenant (without).
#include <boost/json.hpp>
#include <cstdint>

#include "app/work_folders.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/utf8.hpp"
#include "http/net/file_answer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/file_routes.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;

enum class path_rule { required, may_be_empty };

// Reads `session_id` and `path`; what else the route knows was taken before.
result<app::work_place> place_in(query_reader& q, path_rule rule) {
  const auto given = q.take("session_id");
  app::work_place place{session_id(std::string(given.value_or(std::string_view()))),
                        std::string(q.take("path").value_or(std::string_view()))};
  if (auto bad = q.rest()) return *bad;
  // Not the tenant's folder, which has to be meant.
  if (given && place.session.empty())
    return error(codes::request_invalid_parameter, "session_id is empty").about("session_id");
  if (place.path.empty() && rule == path_rule::required)
    return error(codes::request_invalid_parameter, "path says which file or folder").about("path");
  return place;
}

app::work_place place_in(const json::object& body, std::string_view path) {
  return {session_id(text_of(body, "session_id")), text_of(body, path)};
}

void write_written(json_writer& w, const app::written_file& one) {
  w.begin_object().field("path", one.path).field("size_bytes", one.size_bytes).end_object();
}

response done_or_problem(const result<void>& done, request_context& ctx) {
  return done ? response(204) : problem(done.error(), ctx);
}

// ---- list, read ----

asio::awaitable<response> list(gateway& g, request_context& ctx) {
  query_reader q(ctx);
  auto place = place_in(q, path_rule::may_be_empty);
  if (!place) co_return problem(place.error(), ctx);
  auto listing = co_await app::list_work_folder(g.services, ctx.caller, *place);
  if (!listing) co_return problem(listing.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("path", place->path).key("entries").begin_array();
  for (const auto& e : listing->found.entries) write_entry(w, e);
  w.end_array().field_bool("complete", listing->found.complete);
  w.field("used_bytes", listing->used_bytes).field("bytes_max", listing->bytes_max).end_object();
  co_return answer;
}

std::optional<std::uint64_t> number_in(query_reader& q, std::string_view name,
                                       std::uint64_t otherwise, std::uint64_t most) {
  const auto text = q.take(name);
  if (!text) return otherwise;
  if (text->empty() || text->size() > 18 ||
      text->find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  const auto value = std::stoull(std::string(*text));
  return value <= most ? std::optional<std::uint64_t>(value) : std::nullopt;
}

asio::awaitable<response> read(gateway& g, request_context& ctx) {
  query_reader q(ctx);
  const auto offset = number_in(q, "offset", 0, INT64_MAX);
  const auto bytes = number_in(q, "bytes", app::work_read_bytes_max, app::work_read_bytes_max);
  if (!offset || !bytes)
    co_return problem(error(codes::request_invalid_parameter, "not a number that can be asked for")
                          .about(offset ? "bytes" : "offset"),
                      ctx);
  auto place = place_in(q, path_rule::required);
  if (!place) co_return problem(place.error(), ctx);
  auto text = co_await app::read_work_file(g.services, ctx.caller, *place, *offset, *bytes);
  if (!text) co_return problem(text.error(), ctx);
  response answer;
  json_writer w(answer.body);
  w.begin_object().field("path", place->path).field("text", text->bytes).field("offset", *offset);
  w.field("bytes", static_cast<std::uint64_t>(text->bytes.size()));
  w.field("size_bytes", text->size_bytes).field_bool("more", text->more);
  w.field_bool("utf8", utf8_valid(text->bytes)).end_object();
  co_return answer;
}

// ---- download ----

asio::awaitable<response> download(gateway& g, request_context& ctx) {
  query_reader q(ctx);
  auto place = place_in(q, path_rule::may_be_empty);
  if (!place) co_return problem(place.error(), ctx);
  auto got = co_await app::open_work_download(g.services, ctx.caller, std::move(*place));
  if (!got) co_return problem(got.error(), ctx);
  if (!got->archive) co_return file_answer(ctx, std::move(got->file));
  response answer;
  answer.content_type = "application/zip";
  answer.headers.emplace_back("Content-Disposition", content_disposition(got->name + ".zip"));
  answer.produce = [archive = got->archive](response_stream& out) {
    return send_pieces(archive, out);
  };
  co_return answer;
}

// ---- write, upload ----

asio::awaitable<response> write(gateway& g, request_context& ctx) {
  query_reader q(ctx);
  auto place = place_in(q, path_rule::required);
  if (!place) co_return problem(place.error(), ctx);
  auto made =
      co_await app::write_work_file(g.services, admitted_of(ctx), std::move(*place), ctx.stream);
  if (!made) co_return problem(made.error(), ctx);
  tell_made(ctx, {made->path});
  response answer;
  json_writer w(answer.body);
  write_written(w, *made);
  co_return answer;
}

asio::awaitable<response> upload(gateway& g, request_context& ctx) {
  query_reader q(ctx);
  auto place = place_in(q, path_rule::may_be_empty);
  if (!place) co_return problem(place.error(), ctx);
  auto form = file_form_of(ctx);
  if (!form) co_return problem(form.error(), ctx);
  auto made = co_await app::upload_to_work_folder(g.services, admitted_of(ctx), std::move(*place),
                                                  std::move(*form));
  if (!made) co_return problem(made.error(), ctx);
  std::vector<std::string> paths;
  for (const auto& one : *made) paths.push_back(one.path);
  tell_made(ctx, paths);
  response answer(201);
  json_writer w(answer.body);
  w.begin_array();
  for (const auto& one : *made) write_written(w, one);
  w.end_array();
  co_return answer;
}

// ---- move, delete, mkdir ----

asio::awaitable<response> move(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  auto from = place_in(body, "from");
  auto done = co_await app::move_work_file(g.services, admitted_of(ctx), std::move(from),
                                           text_of(body, "to"));
  co_return done_or_problem(done, ctx);
}

asio::awaitable<response> make_folder(gateway& g, request_context& ctx) {
  auto place = place_in(ctx.json.as_object(), "path");
  tell_made(ctx, {place.path});
  auto done = co_await app::make_work_folder(g.services, admitted_of(ctx), std::move(place));
  co_return done_or_problem(done, ctx);
}

asio::awaitable<response> remove(gateway& g, request_context& ctx) {
  query_reader q(ctx);
  auto place = place_in(q, path_rule::required);
  if (!place) co_return problem(place.error(), ctx);
  auto done = co_await app::delete_work_file(g.services, admitted_of(ctx), std::move(*place));
  co_return done_or_problem(done, ctx);
}

}  // namespace

void add_workdir_routes(router& routes, gateway& g) {
  add_operation(routes, g, "list_workdir", list);
  add_operation(routes, g, "read_workdir_file", read);
  add_operation(routes, g, "write_workdir_file", write);
  add_operation(routes, g, "upload_to_workdir", upload);
  add_operation(routes, g, "download_from_workdir", download);
  add_operation(routes, g, "move_in_workdir", move);
  add_operation(routes, g, "make_workdir_folder", make_folder);
  add_operation(routes, g, "delete_from_workdir", remove);
}

}  // namespace soma::http
