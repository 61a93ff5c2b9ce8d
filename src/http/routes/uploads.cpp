// POST /v1/uploads, /v1/uploads/known; GET, HEAD, DELETE /v1/attachments/{id}, and what other nodes
// ask. See docs/decisions/0091-attachments-by-hash-with-counted-uses.md.
#include <boost/json.hpp>

#include "app/on_lane.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "files/file_type.hpp"
#include "files/multipart_parser.hpp"
#include "http/net/file_answer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/door.hpp"
#include "http/routes/file_routes.hpp"
#include "security/digest.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;

constexpr std::size_t parts_beside_files = 16;

void write_attachment(json_writer& w, const files::stored_attachment& a) {
  w.begin_object().field("id", a.id).field("attachment_id", a.id).field("filename", a.filename);
  w.field("sha256", a.sha256).field("content_type", a.content_type);
  w.field("size_bytes", a.size_bytes).field("url", "/v1/attachments/" + a.id);
  w.field("status", files::to_string(a.state)).end_object();
}

void write_all(json_writer& w, const std::vector<files::stored_attachment>& all) {
  w.begin_array();
  for (const auto& a : all) write_attachment(w, a);
  w.end_array();
}

// ---- upload ----

// Takes the parts of one request; every file is an attachment as soon as it is whole.
class upload_work final : public files::part_sink {
 public:
  upload_work(files::attachment_store& store, std::string_view boundary, std::size_t files_max,
              files::origin_of_file whose)
      : store_(store),
        files_max_(files_max),
        whose_(std::move(whose)),
        parser_(boundary, files_max + parts_beside_files) {}

  result<void> feed(std::string_view bytes) { return parser_.feed(bytes, *this); }
  result<std::vector<files::stored_attachment>> finish() {
    if (auto whole = parser_.finish(); !whole) return whole.error();
    if (made_.empty()) return error(codes::upload_empty, "no part of the body is a file");
    return std::move(made_);
  }

  result<void> on_part(const files::part_head& head) override {
    if (!head.filename) return {};  // a field of the form: nothing here asks for one
    if (made_.size() == files_max_)
      return error(codes::upload_too_many, "more files than uploads.files_max");
    auto file = store_.begin();
    if (!file) return file.error();
    file_.emplace(std::move(*file));
    whose_.filename = *head.filename;
    whose_.claimed_type = head.content_type;
    return {};
  }
  result<void> on_bytes(std::string_view bytes) override {
    return file_ ? store_.append(*file_, bytes) : result<void>();
  }
  result<void> on_end() override {
    if (!file_) return {};
    auto added = store_.add(std::move(*file_), whose_);
    file_.reset();
    if (!added) return added.error();
    made_.push_back(std::move(*added));
    return {};
  }

 private:
  files::attachment_store& store_;
  const std::size_t files_max_;
  files::origin_of_file whose_;
  files::multipart_parser parser_;
  std::optional<files::attachment_store::incoming> file_;
  std::vector<files::stored_attachment> made_;
};

// What a request with the same key must bring again. Boundaries and declared types differ from one
// try to the next.
std::string content_hash(const std::vector<files::stored_attachment>& all) {
  security::sha256_stream hash;
  for (const auto& a : all) {
    hash.update(std::to_string(a.filename.size()) + ':' + a.filename);
    hash.update(a.sha256);
  }
  return security::hex(security::bytes_of(hash.finish()));
}

// The answer to files that are whole: where this key has had one before, that one; what was kept
// for nothing goes again.
asio::awaitable<response> answer_upload(gateway& g, request_context& ctx,
                                        std::vector<files::stored_attachment> made) {
  auto& f = g.services.files;
  auto drop = [&store = f.attachments, tenant = ctx.caller.tenant, made] {
    for (const auto& a : made) (void)store.remove(tenant, a.id);
  };
  auto gate = co_await enter_once(g, ctx, idempotency_key_of(ctx), content_hash(made));
  if (!gate || gate->replay) {
    f.pool.post(drop);
    if (!gate) co_return problem(gate.error(), ctx);
    response kept(201, gate->replay->response_json);
    mark_replayed(kept, *gate);
    co_return kept;
  }
  response answer(201);
  json_writer w(answer.body);
  write_all(w, made);
  if (!gate->key.empty()) {
    auto record = g.services.idempotency.record_of(*gate, 201, answer.body);
    auto keep = [log = &g.services.node.log, record] { return log->put_idempotency(record); };
    if (auto kept = co_await app::on_lane(g.services.lanes.writes, keep); !kept) {
      f.pool.post(drop);
      co_return problem(kept.error(), ctx);
    }
  }
  co_return answer;
}

asio::awaitable<response> upload(gateway& g, request_context& ctx) {
  auto& f = g.services.files;
  const auto boundary = files::multipart_parser::boundary_of(ctx.header("Content-Type"));
  if (!boundary)
    co_return problem(error(codes::request_unsupported_media_type,
                            "this route takes multipart/form-data with a boundary"),
                      ctx);
  const app::upload_place place(f, ctx.caller);
  if (!place) co_return problem(error(codes::server_busy, "many uploads are under way", 5), ctx);
  files::origin_of_file whose;
  whose.tenant = ctx.caller.tenant;
  whose.user_id = ctx.caller.user.value;
  auto work = std::make_shared<upload_work>(
      f.attachments, *boundary,
      static_cast<std::size_t>(g.services.settings.number("uploads.files_max")), std::move(whose));
  std::function<result<void>(std::string_view)> feed = [work](std::string_view bytes) {
    return work->feed(bytes);
  };
  auto taken = co_await app::each_piece(f.pool, ctx.stream, std::move(feed));
  auto end = [work, taken]() -> result<std::vector<files::stored_attachment>> {
    if (!taken) return taken.error();
    return work->finish();
  };
  auto made = co_await app::on_lane(f.pool, end);
  // What it holds of an unfinished file is removed from the disk, so not here.
  f.pool.post([work = std::move(work)] {});
  if (!made) co_return problem(made.error(), ctx);
  co_return co_await answer_upload(g, ctx, std::move(*made));
}

// ---- what is there already ----

struct claimed_file {
  std::string sha256, filename;
};

asio::awaitable<response> find_known(gateway& g, request_context& ctx) {
  auto& f = g.services.files;
  auto gate = co_await enter_once(g, ctx, idempotency_key_of(ctx));
  if (!gate) co_return problem(gate.error(), ctx);
  if (gate->replay) {
    response kept(200, gate->replay->response_json);
    mark_replayed(kept, *gate);
    co_return kept;
  }
  std::vector<claimed_file> claims;
  for (const auto& item : ctx.json.as_object().at("files").as_array()) {
    const auto& one = item.as_object();
    claimed_file claim{std::string(one.at("sha256").as_string()), {}};
    if (const auto* name = one.if_contains("filename")) claim.filename = name->as_string();
    claims.push_back(std::move(claim));
  }
  auto work = [&store = f.attachments, claims, tenant = ctx.caller.tenant,
               user = ctx.caller.user.value]() -> result<std::string> {
    std::vector<files::stored_attachment> known;
    std::vector<std::string> missing;
    for (const auto& claim : claims) {
      auto found = store.add_known(claim.sha256, {tenant, user, claim.filename, {}, {}});
      if (!found) return found.error();
      if (*found)
        known.push_back(std::move(**found));
      else
        missing.push_back(claim.sha256);
    }
    std::string out;
    json_writer w(out);
    w.begin_object().key("files");
    write_all(w, known);
    w.key("missing").begin_array();
    for (const auto& sha256 : missing) w.string(sha256);
    w.end_array().end_object();
    return out;
  };
  auto found = co_await app::on_lane(f.pool, work);
  if (!found) co_return problem(found.error(), ctx);
  if (!gate->key.empty()) {
    auto record = g.services.idempotency.record_of(*gate, 200, *found);
    auto keep = [log = &g.services.node.log, record] { return log->put_idempotency(record); };
    if (auto kept = co_await app::on_lane(g.services.lanes.writes, keep); !kept)
      co_return problem(kept.error(), ctx);
  }
  co_return response(200, std::move(*found));
}

// ---- reading ----

// Without a file where its bytes are to be read whole first, for their hash.
result<served_file> open_attachment(files::attachment_store& store, const tenant_id& tenant,
                                    std::string_view id, bool may_read) {
  auto a = store.look(tenant, id);
  if (!a) return a.error();
  auto bytes = store.open_bytes(*a, may_read);
  if (!bytes) return bytes.error();
  served_file served;
  if (bytes->get() >= 0) served.file = std::make_shared<files::open_file>(bytes->release());
  served.size_bytes = a->size_bytes;
  served.etag = '"' + a->sha256 + '"';
  served.content_type = std::move(a->content_type);
  served.filename = std::move(a->filename);
  return served;
}

asio::awaitable<response> send_attachment(gateway& g, request_context& ctx, tenant_id tenant) {
  const auto look = [&store = g.services.files.attachments, tenant,
                     id = std::string(ctx.path_parameter("id"))](bool may_read) {
    return [&store, tenant, id, may_read] { return open_attachment(store, tenant, id, may_read); };
  };
  auto known = look(false);
  auto served = co_await app::on_lane(g.services.files.reads, known);
  if (served && !served->file) {
    auto whole = look(true);
    served = co_await app::on_lane(g.services.files.hashes, whole);
  }
  if (!served) co_return problem(served.error(), ctx);
  co_return file_answer(g.services.files.reads, ctx, std::move(*served));
}

asio::awaitable<response> get_attachment(gateway& g, request_context& ctx) {
  return send_attachment(g, ctx, ctx.caller.tenant);
}

// For the nodes and tools of this deployment: they say for whom they ask.
asio::awaitable<response> get_attachment_internal(gateway& g, request_context& ctx) {
  tenant_id tenant(std::string(ctx.header("X-Tenant-ID")));
  if (tenant.empty())
    co_return problem(error(codes::request_invalid_parameter, "X-Tenant-ID says whose it is")
                          .about("X-Tenant-ID"),
                      ctx);
  ctx.caller.tenant = tenant;  // for policy
  co_return co_await send_attachment(g, ctx, std::move(tenant));
}

asio::awaitable<response> delete_attachment(gateway& g, request_context& ctx) {
  auto work = [&store = g.services.files.attachments, tenant = ctx.caller.tenant,
               id = std::string(ctx.path_parameter("id"))] { return store.remove(tenant, id); };
  auto done = co_await app::on_lane(g.services.files.pool, work);
  if (!done) co_return problem(done.error(), ctx);
  co_return response(204);
}

}  // namespace

void add_upload_routes(router& routes, gateway& g) {
  add_operation(routes, g, "upload_files", upload);
  add_operation(routes, g, "find_known_files", find_known);
  add_operation(routes, g, "get_attachment", get_attachment);
  add_operation(routes, g, "delete_attachment", delete_attachment);
  add_operation(routes, g, "get_attachment_internal", get_attachment_internal);
}

}  // namespace soma::http
