// POST /v1/uploads, /v1/uploads/known; GET, HEAD, DELETE /v1/attachments/{id}, and what other nodes
// ask.
#include <boost/json.hpp>

#include "app/attachment_json.hpp"
#include "app/uploads.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "files/multipart_parser.hpp"
#include "http/net/file_answer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/file_routes.hpp"

namespace soma::http {

result<app::file_form> file_form_of(request_context& ctx) {
  const auto boundary = files::multipart_parser::boundary_of(ctx.header("Content-Type"));
  if (!boundary)
    return error(codes::request_unsupported_media_type,
                 "this route takes multipart/form-data with a boundary");
  app::file_form form;
  form.body = ctx.stream;
  form.boundary = *boundary;
  return form;
}

namespace {

asio::awaitable<response> upload(gateway& g, request_context& ctx) {
  auto form = file_form_of(ctx);
  if (!form) co_return problem(form.error(), ctx);
  auto key = once_key_of(ctx);
  if (!key) co_return problem(key.error(), ctx);
  auto made =
      co_await app::take_upload(g.services, admitted_of(ctx), std::move(*key), std::move(*form));
  if (!made) co_return problem(made.error(), ctx);
  std::vector<std::string> ids;
  for (const auto& one : made->what) ids.push_back(one.id);
  tell_made(ctx, ids);
  response answer(201, app::attachments_json(made->what));
  mark_replayed(answer, made->replayed);
  co_return answer;
}

asio::awaitable<response> find_known(gateway& g, request_context& ctx) {
  auto key = once_key_of(ctx);
  if (!key) co_return problem(key.error(), ctx);
  std::vector<app::claimed_file> claims;
  for (const auto& item : ctx.json.as_object().at("files").as_array()) {
    const auto& one = item.as_object();
    claims.push_back({text_of(one, "sha256"), text_of(one, "filename")});
  }
  auto found = co_await app::find_known_files(g.services, admitted_of(ctx), std::move(*key),
                                              std::move(claims));
  if (!found) co_return problem(found.error(), ctx);
  response answer(200, app::known_files_json(found->what));
  mark_replayed(answer, found->replayed);
  co_return answer;
}

// Also for the nodes and tools of this deployment, of the tenant for which they ask.
asio::awaitable<response> get_attachment(gateway& g, request_context& ctx) {
  auto opened =
      co_await app::open_attachment(g.services, ctx.caller, std::string(ctx.path_parameter("id")));
  if (!opened) co_return problem(opened.error(), ctx);
  co_return file_answer(ctx, std::move(*opened));
}

asio::awaitable<response> delete_attachment(gateway& g, request_context& ctx) {
  auto done = co_await app::delete_attachment(g.services, admitted_of(ctx),
                                              std::string(ctx.path_parameter("id")));
  if (!done) co_return problem(done.error(), ctx);
  co_return response(204);
}

}  // namespace

void add_upload_routes(router& routes, gateway& g) {
  add_operation(routes, g, "upload_files", upload);
  add_operation(routes, g, "find_known_files", find_known);
  add_operation(routes, g, "get_attachment", get_attachment);
  add_operation(routes, g, "delete_attachment", delete_attachment);
  add_operation(routes, g, "get_attachment_internal", get_attachment);
}

}  // namespace soma::http
