// A session's past taken elsewhere: fork and export; import is in routes_import.cpp. See
// docs/decisions/0060-a-copied-session-is-staged-and-at-rest.md.
#include <boost/json.hpp>
#include <deque>
#include <set>

#include "app/file_services.hpp"
#include "app/on_lane.hpp"
#include "app/session_document.hpp"
#include "app/session_stager.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "http/net/file_answer.hpp"
#include "http/net/problem.hpp"
#include "http/routes/copied_session.hpp"
#include "http/routes/door.hpp"
#include "http/routes/gateway.hpp"

namespace soma::http {
namespace {

error reset_meanwhile() {
  return {codes::session_not_found, "the session was reset or deleted meanwhile"};
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
    options.bytes_max = transfer_piece_bytes;
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
  const auto from = key_of(ctx);
  const std::string event_text(ctx.json.as_object().at("event_id").as_string());
  const auto last = parse_event_id(event_text);
  if (!last) co_return problem(error(codes::event_id_malformed, "not an event id"), ctx);
  auto gate = co_await enter_once(g, ctx, idempotency_key_of(ctx));
  if (!gate) co_return problem(gate.error(), ctx);
  if (gate->replay) co_return session_replayed(*gate);
  const session_key to{from.tenant, session_id(new_uuid())};
  auto head = co_await g.services.head(from);
  if (!head) co_return problem(head.error(), ctx);
  if (!holds(*head, *last))
    co_return problem(error(codes::event_not_found, "the session has no such event"), ctx);

  copy_options options;
  options.to = to;
  options.epoch = g.services.node.log.epoch();
  options.rename = renamer(to.session);
  options.forked_from_session = from.session.value;
  options.forked_from_event = event_text;
  options.opened_by = app::origin_of(ctx.caller);
  options.opened_at_ms = now_ms();
  app::session_stager stager(g.services, ctx.io_thread, std::move(options));
  auto walk = std::make_shared<log_walk>(g.services.node.log, from, head->first_seq, last->seq);
  app::session_stager::source next =
      [walk](const app::session_stager::taker& take) -> result<bool> {
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
  auto record = g.services.idempotency.record_of(*gate, 201, body);
  if (done) done = co_await stager.publish(info, std::move(record));
  if (!done) co_return co_await not_published(g, ctx, stager, *gate, done.error());
  co_return session_created(to.session, std::move(body), *gate);
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

  app::document_writer document;

  // The next lines; empty after the last event.
  result<std::string> next_of_events() {
    std::string lines;
    auto events = walk_.next();
    if (!events) return events.error();
    for (const auto& e : *events) {
      lines += document.add(e.json);
      note_attachments(e);
    }
    return lines;
  }

  // Opens the next attachment that can be read, for which it may be read whole, and gives its line;
  // empty after the last. Its pieces come before the next one.
  result<std::string> next_attachment() {
    while (!to_come_.empty()) {
      auto a = store_.look(tenant_, to_come_.front());
      to_come_.pop_front();
      if (!a) continue;  // gone, or held back
      auto bytes = store_.open_bytes(*a);
      if (!bytes) continue;  // gone meanwhile, or damaged
      file_ = std::make_shared<open_file>(bytes->release());
      left_ = size_ = a->size_bytes;
      return document.add_attachment(app::attachment_line(*a));
    }
    return std::string();
  }

  // Of the open attachment; empty after the last.
  result<std::string> next_piece() {
    if (left_ == 0) return std::string();
    const auto bytes = std::min<std::uint64_t>(left_, app::attachment_piece_bytes);
    auto piece = read_piece(file_->handle(), size_ - left_, static_cast<std::size_t>(bytes));
    if (piece.empty()) return error(codes::storage_corrupt, "an attachment cannot be read");
    left_ -= piece.size();
    return document.add_attachment(app::attachment_bytes_line(piece));
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

  log_walk walk_;
  files::attachment_store& store_;
  const tenant_id tenant_;
  std::function<bool(std::string_view)> readable_;
  std::set<std::string> seen_;
  std::deque<std::string> to_come_;
  std::shared_ptr<open_file> file_;
  std::uint64_t size_ = 0, left_ = 0;
};

using export_step = result<std::string> (export_work::*)();

// Sends what a step gives, again and again until that is nothing. False: cut off, or gone.
asio::awaitable<bool> send_all(app::lane& lane, std::shared_ptr<export_work> work, export_step step,
                               response_stream& out) {
  for (;;) {
    auto next = [work, step] { return (work.get()->*step)(); };
    auto lines = co_await app::on_lane(lane, next);
    if (!lines) co_return false;
    if (lines->empty()) co_return true;
    if (!co_await out.write(*lines)) co_return false;
  }
}

// False cuts it off before its last line: the client sees that it is not whole.
asio::awaitable<bool> send_document(gateway& g, std::shared_ptr<export_work> work,
                                    std::string header, response_stream& out) {
  auto piece = work->document.begin(header);
  if (!co_await out.write(piece)) co_return false;
  const bool events =
      co_await send_all(g.services.lanes.pages, work, &export_work::next_of_events, out);
  if (!events) co_return false;
  for (;;) {
    auto open = [work] { return work->next_attachment(); };
    auto line = co_await app::on_lane(g.services.files.hashes, open);
    if (!line) co_return false;
    if (line->empty()) break;
    if (!co_await out.write(*line)) co_return false;
    const bool sent =
        co_await send_all(g.services.files.reads, work, &export_work::next_piece, out);
    if (!sent) co_return false;
  }
  piece = work->document.end();
  co_return co_await out.write(piece);
}

asio::awaitable<response> export_session(gateway& g, request_context& ctx) {
  const session_key key{ctx.caller.tenant,
                        session_id(std::string(ctx.json.as_object().at("session_id").as_string()))};
  auto head = co_await g.services.head(key);
  if (!head) co_return problem(head.error(), ctx);
  response answer;
  answer.content_type = document_type;
  answer.headers.emplace_back("Content-Disposition",
                              "attachment; filename=\"" + key.session.value + ".ndjson\"");
  log_walk walk(g.services.node.log, key, head->first_seq, head->seq);
  auto readable = [&tools = g.services.tools, who = ctx.caller](std::string_view id) {
    return app::judge(tools, who, "attachment.read", id).allow;
  };
  auto work = std::make_shared<export_work>(std::move(walk), g.services.files.attachments,
                                            key.tenant, std::move(readable));
  auto header = session_json(key.session, head->info, head->last_id());
  answer.produce = [&g, work, header](response_stream& out) {
    return send_document(g, work, header, out);
  };
  co_return answer;
}

}  // namespace

void add_transfer_routes(router& routes, gateway& g) {
  add_operation(routes, g, "fork_session", fork_session);
  add_operation(routes, g, "export_session", export_session);
  add_import_route(routes, g);
}

}  // namespace soma::http
