// /v1/workdir/*: the work folder of a session (`session_id`) or of the tenant (without).
#include <unistd.h>

#include <boost/json.hpp>

#include "app/on_lane.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/utf8.hpp"
#include "files/file_type.hpp"
#include "files/folder_zip.hpp"
#include "files/multipart_parser.hpp"
#include "http/net/file_answer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/file_routes.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;

constexpr std::size_t entries_max = 1000;  // of one listing
constexpr std::uint64_t read_bytes_max = 1024 * 1024;
constexpr std::size_t upload_parts_max = 64;

// Whose folder is meant, and what in it.
struct target {
  session_key whose;
  std::string path;
};

// A folder belongs to a session that is there.
asio::awaitable<result<target>> target_of(gateway& g, request_context& ctx, std::string session,
                                          std::string path) {
  target t{{ctx.caller.tenant, session_id(std::move(session))}, std::move(path)};
  if (!t.whose.session.empty())
    if (auto head = co_await g.services.head(t.whose); !head) co_return head.error();
  co_return t;
}

enum class path_rule { required, may_be_empty };

// Reads `session_id` and `path`; what else the route knows was taken before.
asio::awaitable<result<target>> target_in(gateway& g, request_context& ctx, query_reader& q,
                                          path_rule rule) {
  const auto given = q.take("session_id");
  const std::string session(given.value_or(std::string_view()));
  const std::string path(q.take("path").value_or(std::string_view()));
  if (auto bad = q.rest()) co_return *bad;
  // Not the tenant's folder, which has to be meant.
  if (given && session.empty())
    co_return error(codes::request_invalid_parameter, "session_id is empty").about("session_id");
  if (path.empty() && rule == path_rule::required)
    co_return error(codes::request_invalid_parameter, "path says which file or folder")
        .about("path");
  co_return co_await target_of(g, ctx, session, path);
}

std::string entry_json(const std::string& path, std::uint64_t size_bytes) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("path", path).field("size_bytes", size_bytes).end_object();
  return out;
}

// ---- list, read ----

asio::awaitable<response> list(gateway& g, request_context& ctx) {
  query_reader q(ctx);
  auto t = co_await target_in(g, ctx, q, path_rule::may_be_empty);
  if (!t) co_return problem(t.error(), ctx);
  auto work = [&folders = g.services.files.folders, t = *t]() -> result<std::string> {
    auto found = folders.list(t.whose, t.path, entries_max);
    if (!found) return found.error();
    auto used = folders.used(t.whose);
    if (!used) return used.error();
    std::string out;
    json_writer w(out);
    w.begin_object().field("path", t.path).key("entries").begin_array();
    for (const auto& e : found->entries) write_entry(w, e);
    w.end_array().field_bool("complete", found->complete);
    w.field("used_bytes", used->bytes).field("bytes_max", folders.limits().bytes_max);
    w.end_object();
    return out;
  };
  auto found = co_await app::on_lane(g.services.files.reads, work);
  if (!found) co_return problem(found.error(), ctx);
  co_return response(200, std::move(*found));
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
  const auto bytes = number_in(q, "bytes", read_bytes_max, read_bytes_max);
  if (!offset || !bytes)
    co_return problem(error(codes::request_invalid_parameter, "not a number that can be asked for")
                          .about(offset ? "bytes" : "offset"),
                      ctx);
  auto t = co_await target_in(g, ctx, q, path_rule::required);
  if (!t) co_return problem(t.error(), ctx);
  auto work = [&folders = g.services.files.folders, t = *t, from = *offset,
               most = *bytes]() -> result<std::string> {
    auto piece = folders.read(t.whose, t.path, from, static_cast<std::size_t>(most));
    if (!piece) return piece.error();
    const bool more = from + piece->bytes.size() < piece->size_bytes;
    const auto whole = utf8_complete_prefix(piece->bytes);
    if (more && whole > 0) piece->bytes.resize(whole);
    std::string out;
    json_writer w(out);
    w.begin_object().field("path", t.path).field("text", piece->bytes).field("offset", from);
    w.field("bytes", static_cast<std::uint64_t>(piece->bytes.size()));
    w.field("size_bytes", piece->size_bytes).field_bool("more", more);
    w.field_bool("utf8", utf8_valid(piece->bytes)).end_object();
    return out;
  };
  auto found = co_await app::on_lane(g.services.files.reads, work);
  if (!found) co_return problem(found.error(), ctx);
  co_return response(200, std::move(*found));
}

// ---- download ----

struct download_work {
  std::optional<served_file> file;
  std::shared_ptr<files::folder_zip> zip;
  std::string name;
};

result<download_work> open_download(files::work_folders& folders, const target& t) {
  download_work work;
  work.name = t.path.substr(t.path.rfind('/') + 1);
  if (!t.path.empty()) {
    auto file = folders.open_file(t.whose, t.path);
    if (file) {
      std::string beginning(files::type_bytes_max, '\0');
      const auto got = ::pread(file->handle.get(), beginning.data(), beginning.size(), 0);
      beginning.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
      served_file served;
      served.size_bytes = file->size_bytes;
      // Weak: what changes a file within a millisecond is not seen.
      served.etag =
          "W/\"" + std::to_string(file->modified_ms) + '-' + std::to_string(file->size_bytes) + '"';
      served.content_type = files::file_type_of(beginning);
      served.filename = work.name;
      served.file = std::make_shared<files::open_file>(file->handle.release());
      work.file = std::move(served);
      return work;
    }
    if (file.error().code != codes::workdir_wrong_kind) return file.error();
  }
  auto folder = folders.open_folder(t.whose, t.path);
  if (!folder) return folder.error();
  if (work.name.empty())
    work.name = t.whose.session.empty() ? std::string("work") : t.whose.session.value;
  work.zip = std::make_shared<files::folder_zip>(std::move(*folder));
  return work;
}

asio::awaitable<bool> send_zip(app::lane& pool, std::shared_ptr<files::folder_zip> zip,
                               response_stream& out) {
  for (;;) {
    auto next = [zip] { return zip->next(); };
    auto piece = co_await app::on_lane(pool, next);
    if (!piece) co_return false;  // cut off: the client sees that it is not whole
    if (piece->empty()) co_return true;
    if (!co_await out.write(*piece)) co_return false;
  }
}

asio::awaitable<response> download(gateway& g, request_context& ctx) {
  query_reader q(ctx);
  auto t = co_await target_in(g, ctx, q, path_rule::may_be_empty);
  if (!t) co_return problem(t.error(), ctx);
  auto open = [&folders = g.services.files.folders, t = *t] { return open_download(folders, t); };
  auto work = co_await app::on_lane(g.services.files.reads, open);
  if (!work) co_return problem(work.error(), ctx);
  if (work->file) co_return file_answer(g.services.files.reads, ctx, std::move(*work->file));
  response answer;
  answer.content_type = "application/zip";
  answer.headers.emplace_back("Content-Disposition", content_disposition(work->name + ".zip"));
  answer.produce = [&pool = g.services.files.reads, zip = work->zip](response_stream& out) {
    return send_zip(pool, zip, out);
  };
  co_return answer;
}

// ---- write, upload ----

struct write_work {
  std::optional<files::work_spool> spool;
  std::uint64_t size_bytes = 0;
};

asio::awaitable<response> write(gateway& g, request_context& ctx) {
  auto& f = g.services.files;
  query_reader q(ctx);
  auto t = co_await target_in(g, ctx, q, path_rule::required);
  if (!t) co_return problem(t.error(), ctx);
  const app::upload_place place(f, ctx.caller);
  if (!place) co_return problem(error(codes::server_busy, "many uploads are under way", 5), ctx);
  auto work = std::make_shared<write_work>();
  auto& folders = f.folders;
  auto begin = [work, &folders]() -> result<void> {
    auto spool = folders.begin();
    if (!spool) return spool.error();
    work->spool.emplace(std::move(*spool));
    return {};
  };
  auto done = co_await app::on_lane(f.pool, begin);
  std::function<result<void>(std::string_view)> take = [work, &folders](std::string_view bytes) {
    return folders.add(*work->spool, bytes);
  };
  if (done) done = co_await app::each_piece(f.pool, ctx.stream, take);
  auto put = [work, &folders, t = *t, done]() -> result<void> {
    auto spool = std::exchange(work->spool, std::nullopt);
    if (!done) return done;
    work->size_bytes = spool->size_bytes();
    return folders.put(t.whose, t.path, std::move(*spool));
  };
  done = co_await app::on_lane(f.pool, put);
  if (!done) co_return problem(done.error(), ctx);
  co_return response(200, entry_json(t->path, work->size_bytes));
}

// Puts every file of a form into one folder, under its own name.
class folder_upload final : public files::part_sink {
 public:
  folder_upload(files::work_folders& folders, target to, std::string_view boundary)
      : folders_(folders), to_(std::move(to)), parser_(boundary, upload_parts_max) {}

  result<void> feed(std::string_view bytes) { return parser_.feed(bytes, *this); }
  result<std::string> finish() {
    if (auto whole = parser_.finish(); !whole) return whole.error();
    if (made_.empty()) return error(codes::upload_empty, "no part of the body is a file");
    std::string out;
    json_writer w(out);
    w.begin_array();
    for (const auto& entry : made_) w.raw(entry);
    w.end_array();
    return out;
  }

  result<void> on_part(const files::part_head& head) override {
    if (!head.filename) return {};
    auto spool = folders_.begin();
    if (!spool) return spool.error();
    spool_.emplace(std::move(*spool));
    path_ =
        (to_.path.empty() ? std::string() : to_.path + '/') + files::safe_filename(*head.filename);
    return {};
  }
  result<void> on_bytes(std::string_view bytes) override {
    return spool_ ? folders_.add(*spool_, bytes) : result<void>();
  }
  result<void> on_end() override {
    if (!spool_) return {};
    auto entry = entry_json(path_, spool_->size_bytes());
    auto put = folders_.put(to_.whose, path_, std::move(*spool_));
    spool_.reset();
    if (put) made_.push_back(std::move(entry));
    return put;
  }

 private:
  files::work_folders& folders_;
  const target to_;
  files::multipart_parser parser_;
  std::optional<files::work_spool> spool_;
  std::string path_;
  std::vector<std::string> made_;
};

asio::awaitable<response> upload(gateway& g, request_context& ctx) {
  auto& f = g.services.files;
  query_reader q(ctx);
  auto t = co_await target_in(g, ctx, q, path_rule::may_be_empty);
  if (!t) co_return problem(t.error(), ctx);
  const auto boundary = files::multipart_parser::boundary_of(ctx.header("Content-Type"));
  if (!boundary)
    co_return problem(error(codes::request_unsupported_media_type,
                            "this route takes multipart/form-data with a boundary"),
                      ctx);
  const app::upload_place place(f, ctx.caller);
  if (!place) co_return problem(error(codes::server_busy, "many uploads are under way", 5), ctx);
  auto work = std::make_shared<folder_upload>(f.folders, *t, *boundary);
  std::function<result<void>(std::string_view)> take = [work](std::string_view bytes) {
    return work->feed(bytes);
  };
  auto taken = co_await app::each_piece(f.pool, ctx.stream, take);
  auto end = [work, taken]() -> result<std::string> {
    if (!taken) return taken.error();
    return work->finish();
  };
  auto made = co_await app::on_lane(f.pool, end);
  take = nullptr;
  f.pool.post([work = std::move(work)] {});  // what it holds is removed from the disk there
  if (!made) co_return problem(made.error(), ctx);
  co_return response(201, std::move(*made));
}

// ---- move, delete, mkdir ----

asio::awaitable<response> move(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  auto t = co_await target_of(g, ctx, text_of(body, "session_id"), text_of(body, "from"));
  if (!t) co_return problem(t.error(), ctx);
  auto work = [&folders = g.services.files.folders, t = *t, to = text_of(body, "to")] {
    return folders.move(t.whose, t.path, to);
  };
  auto done = co_await app::on_lane(g.services.files.pool, work);
  if (!done) co_return problem(done.error(), ctx);
  co_return response(204);
}

asio::awaitable<response> make_folder(gateway& g, request_context& ctx) {
  const auto& body = ctx.json.as_object();
  auto t = co_await target_of(g, ctx, text_of(body, "session_id"), text_of(body, "path"));
  if (!t) co_return problem(t.error(), ctx);
  auto work = [&folders = g.services.files.folders, t = *t] {
    return folders.make_folder(t.whose, t.path);
  };
  auto done = co_await app::on_lane(g.services.files.pool, work);
  if (!done) co_return problem(done.error(), ctx);
  co_return response(204);
}

asio::awaitable<response> remove(gateway& g, request_context& ctx) {
  query_reader q(ctx);
  auto t = co_await target_in(g, ctx, q, path_rule::required);
  if (!t) co_return problem(t.error(), ctx);
  auto work = [&folders = g.services.files.folders, t = *t] {
    return folders.remove(t.whose, t.path);
  };
  auto done = co_await app::on_lane(g.services.files.pool, work);
  if (!done) co_return problem(done.error(), ctx);
  co_return response(204);
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
