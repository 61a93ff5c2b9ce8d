// Import: a document becomes a session, whole or not at all. See
// docs/decisions/0060-a-copied-session-is-staged-and-at-rest.md.
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <mutex>
#include <set>

#include "app/document_attachments.hpp"
#include "app/file_services.hpp"
#include "app/import_spool.hpp"
#include "app/on_lane.hpp"
#include "app/session_document.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "http/net/ascii.hpp"
#include "http/net/problem.hpp"
#include "http/routes/copied_session.hpp"
#include "http/routes/door.hpp"

namespace soma::http {
namespace {

namespace asio = boost::asio;

// Which documents are being taken in: two of the same would mix their pieces. A place among them is
// for what is here whole: no slow sender holds one.
class imports_under_way {
 public:
  tenant_places places{4, 8};

  bool enter(const session_key& key) {
    std::lock_guard lock(mutex_);
    return keys_.insert(key).second;
  }
  void leave(const session_key& key) {
    std::lock_guard lock(mutex_);
    keys_.erase(key);
  }

 private:
  std::mutex mutex_;
  std::set<session_key> keys_;
};

class import_pass {
 public:
  import_pass(imports_under_way& all, session_key key)
      : all_(all), key_(std::move(key)), held_(all.enter(key_)) {}
  ~import_pass() {
    if (held_) all_.leave(key_);
  }
  import_pass(const import_pass&) = delete;
  bool held() const { return held_; }

 private:
  imports_under_way& all_;
  const session_key key_;
  const bool held_;
};

struct import_work {
  explicit import_work(app::attachment_restorer to) : attachments(std::move(to)) {}

  app::attachment_restorer attachments;
  app::import_spool spool;
  app::document_reader document;
  app::line_cutter checked{app::document_line_bytes_max}, copied{app::document_line_bytes_max};
  std::uint64_t line = 0;  // of the second reading

  result<void> check(std::string_view bytes) {
    if (auto kept = spool.append(bytes); !kept) return kept;
    return checked.feed(bytes, [this](std::string_view text) { return check_line(text); });
  }
  result<void> check_end() {
    auto last = checked.end([this](std::string_view text) { return check_line(text); });
    return last ? document.finish() : last;
  }
  result<void> check_line(std::string_view text) {
    auto taken = document.take(text);
    return taken ? result<void>() : result<void>(taken.error());
  }

  // The second reading: what lies between the header and the last line is events.
  result<bool> copy_some(const app::session_stager::taker& take) {
    auto bytes = spool.read_some();
    if (!bytes) return bytes.error();
    auto copy_line = [&](std::string_view text) -> result<void> {
      if (++line == 1) return {};
      if (line > document.events() + 1)
        return app::is_attachment_line(text) ? attachments.take(text) : attachments.finish();
      auto e = decode(text);
      if (!e) return e.error();
      take(std::move(*e));
      return {};
    };
    auto fed = bytes->empty() ? copied.end(copy_line) : copied.feed(*bytes, copy_line);
    if (!fed) return fed.error();
    return bytes->empty();
  }
};

constexpr int place_tries = 300;
constexpr std::chrono::milliseconds place_pause(100);

// Its turn comes, since nothing that holds a place waits for a client; null where that takes long.
asio::awaitable<std::shared_ptr<void>> wait_for_place(imports_under_way& all, tenant_id tenant) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (int n = 0; n < place_tries; ++n) {
    if (auto place = all.places.enter(tenant)) co_return place;
    timer.expires_after(place_pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_return nullptr;
}

// Spools the body and checks each of its lines. The error's line is `work.document.line()`.
asio::awaitable<result<void>> spool_body(gateway& g, request_context& ctx,
                                         std::shared_ptr<import_work> work) {
  const auto folder = g.services.settings.text("storage.data_dir");
  const auto reserve =
      static_cast<std::uint64_t>(g.services.settings.number("storage.min_free_bytes"));
  // A body on its way to the disk, as an upload is: of its tenant's places.
  const app::upload_place place(g.services.files, ctx.caller);
  if (!place) co_return error(codes::server_busy, "many uploads are under way", 5);
  auto open = [work, folder, reserve] { return work->spool.open(folder, reserve); };
  auto good = co_await app::on_lane(g.services.lanes.longer, open);
  std::string piece;
  for (bool end = !ctx.stream; good && !end;) {
    auto bytes = co_await ctx.stream->read_some();
    if (!bytes) co_return bytes.error();
    end = bytes->empty();
    piece += *bytes;
    if (piece.size() < transfer_piece_bytes && !end) continue;
    auto check = [work, piece = std::exchange(piece, {})] { return work->check(piece); };
    good = co_await app::on_lane(g.services.lanes.longer, check);
  }
  if (!good) co_return good;
  auto finish = [work] {
    auto whole = work->check_end();
    return whole ? work->spool.rewind() : whole;
  };
  co_return co_await app::on_lane(g.services.lanes.longer, finish);
}

std::string import_answer(const session_id& session, std::uint64_t events, bool fresh) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("session_id", session.value).field("events", events);
  w.field_bool("created", fresh).end_object();
  return out;
}

struct found_place {
  session_key key;
  bool there = false;
};

// Which session a document becomes: always the same one, unless that was deleted. Its ids then must
// not be given again, so the next import is another session.
result<found_place> import_place(storage::event_log& log, const tenant_id& tenant,
                                 const std::string& hash) {
  const auto row = tenant.value + '\n' + hash;
  auto known = log.get_document(app::imports_collection, row);
  if (!known) return known.error();
  found_place place{{tenant, session_id(*known ? **known : std::string())}, false};
  if (*known) {
    auto head = log.head(place.key);
    place.there = head.has_value();
    if (!head && head.error().code != codes::session_not_found) return head.error();
  }
  if (place.there) return place;
  place.key.session = session_id(new_uuid());
  if (auto kept = log.put_document(app::imports_collection, row, place.key.session.value); !kept)
    return kept.error();
  return place;
}

response refused_document(const error& why, const import_work& work, request_context& ctx) {
  if (why.code != codes::import_invalid && why.code != codes::event_too_large)
    return problem(why, ctx);
  return problem(why, ctx, {{"line", std::to_string(work.document.line())}});
}

asio::awaitable<response> import_session(gateway& g, request_context& ctx, imports_under_way& all) {
  const auto type = ctx.header("Content-Type");
  if (!iequals(trim(type.substr(0, type.find(';'))), document_type))
    co_return problem(
        error(codes::request_unsupported_media_type, "this route takes application/x-ndjson"), ctx);
  app::attachment_restorer restorer(g.services.files.attachments, ctx.caller.tenant,
                                    ctx.caller.user.value);
  auto work = std::make_shared<import_work>(std::move(restorer));
  auto whole = co_await spool_body(g, ctx, work);
  if (!whole) co_return refused_document(whole.error(), *work, ctx);

  const auto place = co_await wait_for_place(all, ctx.caller.tenant);
  if (!place)
    co_return problem(error(codes::server_busy, "many documents are being taken in", 5), ctx);
  const auto& hash = work->document.hash();
  auto gate = co_await enter_once(g, ctx, idempotency_key_of(ctx), hash);
  if (!gate) co_return problem(gate.error(), ctx);
  if (gate->replay) co_return session_replayed(*gate);
  import_pass pass(all, {ctx.caller.tenant, session_id(hash)});
  if (!pass.held())
    co_return problem(error(codes::server_busy, "this document is being taken in already", 1), ctx);
  auto place_of = [log = &g.services.node.log, tenant = ctx.caller.tenant, hash] {
    return import_place(*log, tenant, hash);
  };
  auto found = co_await app::on_lane(g.services.lanes.writes, place_of);
  if (!found) co_return problem(found.error(), ctx);
  const session_key to = found->key;
  if (found->there) {
    auto body = import_answer(to.session, work->document.events(), false);
    if (!gate->key.empty()) {
      auto record = g.services.idempotency.record_of(*gate, 201, body);
      auto keep = [log = &g.services.node.log, record] { return log->put_idempotency(record); };
      if (auto kept = co_await app::on_lane(g.services.lanes.writes, keep); !kept)
        co_return problem(kept.error(), ctx);
    }
    co_return session_created(to.session, std::move(body), *gate);
  }

  copy_options options;
  options.to = to;
  options.epoch = g.services.node.log.epoch();
  options.rename = renamer(to.session);
  options.opened_by = app::origin_of(ctx.caller);
  options.all_by_opener = true;
  app::session_stager stager(g.services, ctx.io_thread, std::move(options));
  app::session_stager::source next = [work](const app::session_stager::taker& take) {
    return work->copy_some(take);
  };
  auto done = co_await stager.copy_all(std::move(next));
  auto body = import_answer(to.session, work->document.events(), true);
  auto record = g.services.idempotency.record_of(*gate, 201, body);
  if (done) done = co_await stager.publish(stager.info(), std::move(record));
  if (!done) co_return co_await not_published(g, ctx, stager, *gate, done.error());
  // An actor that was asked for this session before it was there must fold it anew.
  actors::restart_request again;
  again.key = to;
  again.from = app::origin_of(ctx.caller);
  (void)co_await g.services.ask_tenant<actors::command_outcome>(ctx.caller, std::move(again));
  co_return session_created(to.session, std::move(body), *gate);
}

}  // namespace

void add_import_route(router& routes, gateway& g) {
  auto all = std::make_shared<imports_under_way>();
  handler import = [&g, all](request_context& ctx) { return import_session(g, ctx, *all); };
  add_operation(routes, g, "import_session", std::move(import));
}

}  // namespace soma::http
