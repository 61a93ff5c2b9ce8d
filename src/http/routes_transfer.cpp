// A session's past taken elsewhere: fork, export, import. See
// docs/decisions/0060-a-copied-session-is-staged-and-at-rest.md.
#include <atomic>
#include <boost/json.hpp>
#include <deque>
#include <mutex>
#include <set>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/limits.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "http/ascii.hpp"
#include "http/file_answer.hpp"
#include "http/file_services.hpp"
#include "http/gateway.hpp"
#include "http/import_spool.hpp"
#include "http/on_reader.hpp"
#include "http/problem.hpp"
#include "http/session_document.hpp"
#include "http/session_stager.hpp"
#include "http/tool_gateway.hpp"

namespace soma::http {
namespace {

constexpr std::string_view document_type = "application/x-ndjson";
constexpr std::size_t piece_bytes = 256 * 1024;  // of a document, between two threads

error reset_meanwhile() {
  return {codes::session_not_found, "the session was reset or deleted meanwhile"};
}

std::function<std::string(std::string_view)> renamer(const session_id& to) {
  return [to = to.value](std::string_view id) { return derived_uuid({"copy", to, id}); };
}

response created(const session_id& session, std::string body, const idempotency_gate::entry& gate) {
  response answer(201, std::move(body));
  answer.headers.emplace_back("Location", "/v1/sessions/" + session.value);
  mark_replayed(answer, gate);
  return answer;
}

session_id session_in(std::string_view answer) {
  return session_id(
      std::string(boost::json::parse({answer.data(), answer.size()}).at("session_id").as_string()));
}

response replayed(const idempotency_gate::entry& gate) {
  const auto& answer = gate.replay->response_json;
  return created(session_in(answer), answer, gate);
}

// A copy that was staged and not published: what is staged goes, and where another request was
// quicker with the key, its answer is given.
asio::awaitable<response> not_published(gateway& g, request_context& ctx, session_stager& stager,
                                        idempotency_gate::entry& gate, error why) {
  co_await stager.discard();
  if (why.code == codes::idempotency_exists) {
    auto looked = co_await g.idempotency.look(gate);
    if (!looked) co_return problem(looked.error(), ctx);
    if (gate.replay) co_return replayed(gate);
  }
  co_return problem(why, ctx);
}

// Reads a session's log from its first event to `last_seq`, a piece at a time.
class log_walk {
 public:
  log_walk(const storage::event_log& log, session_key key, std::uint64_t first_seq,
           std::uint64_t last_seq)
      : log_(log), key_(std::move(key)), at_(first_seq - 1), last_(last_seq) {}

  // The next events, in order; empty at the end. Fails with session.not_found when the log lost
  // events that were there.
  result<std::vector<storage::stored_event>> next() {
    std::vector<storage::stored_event> events;
    if (at_ == last_) return events;
    storage::read_options options;
    options.after_seq = at_;
    options.before_seq = last_ + 1;
    options.bytes_max = piece_bytes;
    auto page = log_.read(key_, options);
    if (!page) return page.error();
    for (const auto& e : page->events)
      if (e.id.seq != ++at_) return reset_meanwhile();
    if (page->events.empty()) return reset_meanwhile();
    return std::move(page->events);
  }

 private:
  const storage::event_log& log_;
  const session_key key_;
  std::uint64_t at_;
  const std::uint64_t last_;
};

// ---- fork ----

// Whether a reader may have seen this id: its epoch wrote that seq, and it is still there.
bool holds(const storage::session_head& head, event_id id) {
  return id.seq >= head.first_seq && id.seq <= head.seq && head.epoch_of(id.seq) == id.epoch;
}

asio::awaitable<response> fork_session(gateway& g, request_context& ctx) {
  const auto from = g.key_of(ctx);
  const std::string event_text(ctx.json.as_object().at("event_id").as_string());
  const auto last = parse_event_id(event_text);
  if (!last) co_return problem(error(codes::event_id_malformed, "not an event id"), ctx);
  auto gate = co_await g.idempotency.enter(ctx, idempotency_key_of(ctx));
  if (!gate) co_return problem(gate.error(), ctx);
  if (gate->replay) co_return replayed(*gate);
  const session_key to{from.tenant, session_id(new_uuid())};
  auto head = co_await g.head(from);
  if (!head) co_return problem(head.error(), ctx);
  if (!holds(*head, *last))
    co_return problem(error(codes::event_not_found, "the session has no such event"), ctx);

  copy_options options;
  options.to = to;
  options.epoch = g.node.log.epoch();
  options.rename = renamer(to.session);
  options.forked_from_session = from.session.value;
  options.forked_from_event = event_text;
  options.opened_by = origin_of(ctx);
  options.opened_at_ms = now_ms();
  session_stager stager(g, ctx.io_thread, std::move(options));
  auto walk = std::make_shared<log_walk>(g.node.log, from, head->first_seq, last->seq);
  session_stager::source next = [walk](const session_stager::taker& take) -> result<bool> {
    auto events = walk->next();
    if (!events) return events.error();
    for (const auto& stored : *events) {
      auto e = decode(stored.json);
      if (!e) return e.error();
      take(std::move(*e));
    }
    return events->empty();
  };
  auto done = co_await stager.copy_all(std::move(next));
  auto info = stager.info();
  info.updated_at_ms = info.created_at_ms;
  auto body = session_json(to.session, info, stager.last_id());
  auto record = g.idempotency.record_of(*gate, 201, body);
  if (done) done = co_await stager.publish(info, std::move(record));
  if (!done) co_return co_await not_published(g, ctx, stager, *gate, done.error());
  co_return created(to.session, std::move(body), *gate);
}

// ---- export ----

class export_work {
 public:
  // `readable`: whether policy lets the caller have an attachment's bytes.
  export_work(log_walk walk, files::attachment_store& store, tenant_id tenant,
              std::function<bool(std::string_view)> readable)
      : walk_(std::move(walk)),
        store_(store),
        tenant_(std::move(tenant)),
        readable_(std::move(readable)) {}

  document_writer document;

  // The next lines; empty after the last.
  result<std::string> next() {
    std::string lines;
    auto events = walk_.next();
    if (!events) return events.error();
    for (const auto& e : *events) {
      lines += document.add(e.json);
      note_attachments(e);
    }
    return events->empty() ? next_of_attachments() : lines;
  }

 private:
  void note_attachments(const storage::stored_event& stored) {
    if (stored.type != event_type::message_user) return;
    const auto e = decode(stored.json);
    const auto* said = e ? std::get_if<body::message_user>(&e->body) : nullptr;
    if (!said) return;
    for (const auto& a : said->attachments)
      if (readable_(a.id) && seen_.insert(a.id).second) to_come_.push_back(a.id);
  }

  // A piece of the open attachment, or the next that can be read.
  result<std::string> next_of_attachments() {
    if (left_ > 0) {
      const auto bytes = std::min<std::uint64_t>(left_, attachment_piece_bytes);
      auto piece = read_piece(file_->handle(), size_ - left_, static_cast<std::size_t>(bytes));
      if (piece.empty()) return error(codes::storage_corrupt, "an attachment cannot be read");
      left_ -= piece.size();
      return document.add_attachment(attachment_bytes_line(piece));
    }
    while (!to_come_.empty()) {
      auto a = store_.look(tenant_, to_come_.front());
      to_come_.pop_front();
      if (!a) continue;  // gone, or held back
      auto bytes = store_.open_bytes(*a);
      if (!bytes) continue;  // gone meanwhile, or damaged
      file_ = std::make_shared<open_file>(bytes->release());
      left_ = size_ = a->size_bytes;
      return document.add_attachment(attachment_line(*a));
    }
    return std::string();
  }

  log_walk walk_;
  files::attachment_store& store_;
  const tenant_id tenant_;
  std::function<bool(std::string_view)> readable_;
  std::set<std::string> seen_;
  std::deque<std::string> to_come_;
  std::shared_ptr<open_file> file_;
  std::uint64_t size_ = 0, left_ = 0;
};

asio::awaitable<bool> send_document(gateway& g, std::shared_ptr<export_work> work,
                                    std::string header, response_stream& out) {
  auto piece = work->document.begin(header);
  while (!piece.empty()) {
    if (!co_await out.write(piece)) co_return false;
    auto next = [work] { return work->next(); };
    auto lines = co_await on_reader(g.lanes.pages, next);
    if (!lines)
      co_return false;  // cut off before its last line: the client sees that it is not whole
    piece = std::move(*lines);
  }
  piece = work->document.end();
  co_return co_await out.write(piece);
}

asio::awaitable<response> export_session(gateway& g, request_context& ctx) {
  const session_key key{ctx.identity.tenant,
                        session_id(std::string(ctx.json.as_object().at("session_id").as_string()))};
  auto head = co_await g.head(key);
  if (!head) co_return problem(head.error(), ctx);
  response answer;
  answer.content_type = document_type;
  answer.headers.emplace_back("Content-Disposition",
                              "attachment; filename=\"" + key.session.value + ".ndjson\"");
  log_walk walk(g.node.log, key, head->first_seq, head->seq);
  auto readable = [&tools = g.tools, who = ctx.identity](std::string_view id) {
    return judge(tools, who, "attachment.read", id).allow;
  };
  auto work = std::make_shared<export_work>(std::move(walk), g.files->attachments, key.tenant,
                                            std::move(readable));
  auto header = session_json(key.session, head->info, head->last_id());
  answer.produce = [&g, work, header](response_stream& out) {
    return send_document(g, work, header, out);
  };
  co_return answer;
}

// ---- import ----

// Which documents are being taken in: two of the same would mix their pieces, and each costs disk.
class imports_under_way {
 public:
  static constexpr int max = 8;

  bool begin() {
    if (count_.fetch_add(1) < max) return true;
    count_.fetch_sub(1);
    return false;
  }
  void end() { count_.fetch_sub(1); }

  bool enter(const session_key& key) {
    std::lock_guard lock(mutex_);
    return keys_.insert(key).second;
  }
  void leave(const session_key& key) {
    std::lock_guard lock(mutex_);
    keys_.erase(key);
  }

 private:
  std::atomic<int> count_{0};
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
  explicit import_work(attachment_restorer to) : attachments(std::move(to)) {}

  attachment_restorer attachments;
  import_spool spool;
  document_reader document;
  line_cutter checked{document_line_bytes_max}, copied{document_line_bytes_max};
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
  result<bool> copy_some(const session_stager::taker& take) {
    auto bytes = spool.read_some();
    if (!bytes) return bytes.error();
    auto copy_line = [&](std::string_view text) -> result<void> {
      if (++line == 1) return {};
      if (line > document.events() + 1)
        return is_attachment_line(text) ? attachments.take(text) : attachments.finish();
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

// Spools the body and checks each of its lines. The error's line is `work.document.line()`.
asio::awaitable<result<void>> spool_body(gateway& g, request_context& ctx,
                                         std::shared_ptr<import_work> work) {
  const auto folder = g.settings.text("storage.data_dir");
  const auto reserve = static_cast<std::uint64_t>(g.settings.number("storage.min_free_bytes"));
  auto open = [work, folder, reserve] { return work->spool.open(folder, reserve); };
  auto good = co_await on_reader(g.lanes.longer, open);
  std::string piece;
  for (bool end = !ctx.stream; good && !end;) {
    auto bytes = co_await ctx.stream->read_some();
    if (!bytes) co_return bytes.error();
    end = bytes->empty();
    piece += *bytes;
    if (piece.size() < piece_bytes && !end) continue;
    auto check = [work, piece = std::exchange(piece, {})] { return work->check(piece); };
    good = co_await on_reader(g.lanes.longer, check);
  }
  if (!good) co_return good;
  auto finish = [work] {
    auto whole = work->check_end();
    return whole ? work->spool.rewind() : whole;
  };
  co_return co_await on_reader(g.lanes.longer, finish);
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
  auto known = log.get_document(imports_collection, row);
  if (!known) return known.error();
  found_place place{{tenant, session_id(*known ? **known : std::string())}, false};
  if (*known) {
    auto head = log.head(place.key);
    place.there = head.has_value();
    if (!head && head.error().code != codes::session_not_found) return head.error();
  }
  if (place.there) return place;
  place.key.session = session_id(new_uuid());
  if (auto kept = log.put_document(imports_collection, row, place.key.session.value); !kept)
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
  if (!all.begin())
    co_return problem(error(codes::server_busy, "many documents are being taken in", 5), ctx);
  const std::shared_ptr<imports_under_way> place(&all, [](imports_under_way* a) { a->end(); });
  attachment_restorer restorer(g.files->attachments, ctx.identity.tenant, ctx.identity.user.value);
  auto work = std::make_shared<import_work>(std::move(restorer));
  auto whole = co_await spool_body(g, ctx, work);
  if (!whole) co_return refused_document(whole.error(), *work, ctx);

  const auto& hash = work->document.hash();
  auto gate = co_await g.idempotency.enter(ctx, idempotency_key_of(ctx), hash);
  if (!gate) co_return problem(gate.error(), ctx);
  if (gate->replay) co_return replayed(*gate);
  import_pass pass(all, {ctx.identity.tenant, session_id(hash)});
  if (!pass.held())
    co_return problem(error(codes::server_busy, "this document is being taken in already", 1), ctx);
  auto place_of = [log = &g.node.log, tenant = ctx.identity.tenant, hash] {
    return import_place(*log, tenant, hash);
  };
  auto found = co_await on_reader(g.lanes.writes, place_of);
  if (!found) co_return problem(found.error(), ctx);
  const session_key to = found->key;
  if (found->there) {
    auto body = import_answer(to.session, work->document.events(), false);
    if (!gate->key.empty()) {
      auto record = g.idempotency.record_of(*gate, 201, body);
      auto keep = [log = &g.node.log, record] { return log->put_idempotency(record); };
      if (auto kept = co_await on_reader(g.lanes.writes, keep); !kept)
        co_return problem(kept.error(), ctx);
    }
    co_return created(to.session, std::move(body), *gate);
  }

  copy_options options;
  options.to = to;
  options.epoch = g.node.log.epoch();
  options.rename = renamer(to.session);
  options.opened_by = origin_of(ctx);
  options.all_by_opener = true;
  session_stager stager(g, ctx.io_thread, std::move(options));
  session_stager::source next = [work](const session_stager::taker& take) {
    return work->copy_some(take);
  };
  auto done = co_await stager.copy_all(std::move(next));
  auto body = import_answer(to.session, work->document.events(), true);
  auto record = g.idempotency.record_of(*gate, 201, body);
  if (done) done = co_await stager.publish(stager.info(), std::move(record));
  if (!done) co_return co_await not_published(g, ctx, stager, *gate, done.error());
  // An actor that was asked for this session before it was there must fold it anew.
  actors::restart_request again;
  again.key = to;
  again.from = origin_of(ctx);
  (void)co_await g.ask_tenant<actors::command_outcome>(ctx, std::move(again));
  co_return created(to.session, std::move(body), *gate);
}

}  // namespace

void add_transfer_routes(router& routes, gateway& g) {
  auto all = std::make_shared<imports_under_way>();
  routes.add({.verb = verb::post,
              .pattern = "/v1/sessions/{id}/fork",
              .operation_id = "fork_session",
              .handler = [&g](request_context& ctx) { return fork_session(g, ctx); },
              .body = body_mode::whole,
              .body_schema = "fork_session"});
  routes.add({.verb = verb::post,
              .pattern = "/v1/sessions/export",
              .operation_id = "export_session",
              .handler = [&g](request_context& ctx) { return export_session(g, ctx); },
              .body = body_mode::whole,
              .body_schema = "export_session"});
  routes.add({.verb = verb::post,
              .pattern = "/v1/sessions/import",
              .operation_id = "import_session",
              .handler = [&g, all](request_context& ctx) { return import_session(g, ctx, *all); },
              .body = body_mode::streamed,
              .body_bytes_max = limits::http_import_bytes_max});
}

}  // namespace soma::http
