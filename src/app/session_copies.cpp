#include "app/session_copies.hpp"

#include <boost/json.hpp>
#include <deque>
#include <set>

#include "app/conversation_json.hpp"
#include "app/file_services.hpp"
#include "app/import_spool.hpp"
#include "app/on_lane.hpp"
#include "app/services.hpp"
#include "app/session_document.hpp"
#include "app/session_stager.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "files/open_file.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

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
    options.bytes_max = handed_on_bytes;
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

// What the copy calls what the original called so.
std::function<std::string(std::string_view)> renamer(const session_id& to) {
  return [to = to.value](std::string_view id) { return derived_uuid({"copy", to, id}); };
}

// A copy that was not published leaves nothing. Where another was quicker with the key, the kept
// answer is the request's: `gate` then has it.
asio::awaitable<result<void>> give_up(services& s, session_stager& stager,
                                      idempotency_gate::entry& gate, error why) {
  co_await stager.discard();
  if (why.code == codes::idempotency_exists) {
    auto looked = co_await s.idempotency.look(gate);
    if (!looked) co_return looked.error();
    if (gate.replay) co_return result<void>();
  }
  co_return why;
}

result<answered<conversation>> kept_conversation(const idempotency_gate::entry& gate) {
  auto kept = parse_conversation(gate.replay->response_json);
  if (!kept) return kept.error();
  return answered<conversation>(std::move(*kept), true);
}

// Whether a reader may have seen this id: its epoch wrote that seq, and it is still there.
bool holds(const session_head& head, event_id id) {
  return id.seq >= head.first_seq && id.seq <= head.seq && head.epoch_of(id.seq) == id.epoch;
}

}  // namespace

// ---- fork ----

asio::awaitable<result<answered<conversation>>> fork_session(services& s, const admitted& in,
                                                             once_key key, session_id session,
                                                             std::string event_id_text) {
  const auto& who = in.who();
  const session_key from{who.tenant, std::move(session)};
  const auto last = parse_event_id(event_id_text);
  if (!last) co_return error(codes::event_id_malformed, "not an event id");
  auto gate = co_await s.idempotency.enter(who, std::move(key));
  if (!gate) co_return gate.error();
  if (gate->replay) co_return kept_conversation(*gate);
  auto head = co_await s.head(from);
  if (!head) co_return head.error();
  if (!holds(*head, *last))
    co_return error(codes::event_not_found, "the session has no such event");

  conversation made;
  made.session = session_id(new_uuid());
  copy_options options;
  options.to = {who.tenant, made.session};
  options.epoch = s.node.log.epoch();
  options.rename = renamer(made.session);
  options.forked_from_session = from.session.value;
  options.forked_from_event = event_id_text;
  options.opened_by = origin_of(who);
  options.opened_at_ms = now_ms();
  session_stager stager(s, who.io_thread, std::move(options));
  auto walk = std::make_shared<log_walk>(s.node.log, from, head->first_seq, last->seq);
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
  made.head.info = stager.info();
  made.head.info.updated_at_ms = made.head.info.created_at_ms;
  const auto last_id = stager.last_id();
  made.head.seq = last_id.seq;
  made.head.epochs = {{last_id.epoch, last_id.seq}};
  auto record =
      s.idempotency.record_of(*gate, 201, conversation_json(made.session, made.head.info, last_id));
  if (done) done = co_await stager.publish(made.head.info, std::move(record));
  if (!done) {
    auto kept = co_await give_up(s, stager, *gate, done.error());
    if (!kept) co_return kept.error();
    co_return kept_conversation(*gate);
  }
  co_return answered<conversation>(std::move(made), false);
}

// ---- export ----

namespace {

// One thread at a time.
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
      file_ = std::make_shared<files::open_file>(bytes->release());
      left_ = size_ = a->size_bytes;
      return document.add_attachment(attachment_line(*a));
    }
    return std::string();
  }

  // Of the open attachment; empty after the last.
  result<std::string> next_piece() {
    if (left_ == 0) return std::string();
    const auto bytes = std::min<std::uint64_t>(left_, attachment_piece_bytes);
    auto piece = file_->read(size_ - left_, static_cast<std::size_t>(bytes));
    if (piece.empty()) return error(codes::storage_corrupt, "an attachment cannot be read");
    left_ -= piece.size();
    return document.add_attachment(attachment_bytes_line(piece));
  }

 private:
  void note_attachments(const storage::stored_event& stored) {
    if (stored.type != event_type::message_user) return;
    const auto e = decode(stored.json);
    const auto* said = e ? std::get_if<soma::body::message_user>(&e->body) : nullptr;
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
  std::shared_ptr<files::open_file> file_;
  std::uint64_t size_ = 0, left_ = 0;
};

// Events, then each attachment's line and bytes, then the last line.
class export_steps final : public session_export {
 public:
  export_steps(services& s, std::shared_ptr<export_work> work, std::string header)
      : s_(s), work_(std::move(work)), header_(std::move(header)) {}

  asio::awaitable<result<std::string>> next() override {
    for (;;) {
      if (at_ == step::header) {
        at_ = step::events;
        co_return work_->document.begin(header_);
      }
      if (at_ == step::over) co_return std::string();
      auto piece = co_await piece_of(at_);
      if (!piece || !piece->empty()) {
        if (piece && at_ == step::attachment) at_ = step::bytes;
        co_return piece;
      }
      if (at_ == step::attachment) {
        at_ = step::over;
        co_return work_->document.end();
      }
      at_ = step::attachment;  // after the events, and after the bytes of each
    }
  }

 private:
  enum class step { header, events, attachment, bytes, over };
  using work_step = result<std::string> (export_work::*)();

  asio::awaitable<result<std::string>> piece_of(step which) {
    const work_step what = which == step::events       ? &export_work::next_of_events
                           : which == step::attachment ? &export_work::next_attachment
                                                       : &export_work::next_piece;
    auto run = [work = work_, what] { return (work.get()->*what)(); };
    auto& where = which == step::events       ? s_.lanes.pages
                  : which == step::attachment ? s_.files.hashes
                                              : s_.files.reads;
    co_return co_await on_lane(where, run);
  }

  services& s_;
  const std::shared_ptr<export_work> work_;
  const std::string header_;
  step at_ = step::header;
};

}  // namespace

asio::awaitable<result<std::shared_ptr<session_export>>> export_session(services& s,
                                                                        const admitted& in,
                                                                        session_id session) {
  const auto& who = in.who();
  const session_key key{who.tenant, std::move(session)};
  auto head = co_await s.head(key);
  if (!head) co_return head.error();
  log_walk walk(s.node.log, key, head->first_seq, head->seq);
  auto readable = [&tools = s.tools, who](std::string_view id) {
    return judge(tools, who, "attachment.read", id).allow;
  };
  auto work = std::make_shared<export_work>(std::move(walk), s.files.attachments, key.tenant,
                                            std::move(readable));
  auto header = conversation_json(key.session, head->info, head->last_id());
  std::shared_ptr<session_export> steps =
      std::make_shared<export_steps>(s, std::move(work), std::move(header));
  co_return steps;
}

// ---- import ----

namespace {

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
asio::awaitable<result<void>> spool(services& s, const caller& who, body_source* body,
                                    std::shared_ptr<import_work> work) {
  const auto folder = s.settings.text("storage.data_dir");
  const auto reserve = static_cast<std::uint64_t>(s.settings.number("storage.min_free_bytes"));
  // A body on its way to the disk, as an upload is: of its tenant's places.
  const upload_place place(s.files, who);
  if (!place) co_return error(codes::server_busy, "many uploads are under way", 5);
  auto open = [work, folder, reserve] { return work->spool.open(folder, reserve); };
  auto good = co_await on_lane(s.lanes.longer, open);
  if (!good) co_return good;
  std::function<result<void>(std::string_view)> check = [work](std::string_view bytes) {
    return work->check(bytes);
  };
  good = co_await each_piece(s.lanes.longer, body, std::move(check));
  if (!good) co_return good;
  auto finish = [work] {
    auto whole = work->check_end();
    return whole ? work->spool.rewind() : whole;
  };
  co_return co_await on_lane(s.lanes.longer, finish);
}

std::string encode(const imported_session& made) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("session_id", made.session.value).field("events", made.events);
  w.field_bool("created", made.created).end_object();
  return out;
}

result<answered<imported_session>> kept_import(const idempotency_gate::entry& gate) {
  const auto& text = gate.replay->response_json;
  boost::system::error_code ec;
  const auto value = boost::json::parse({text.data(), text.size()}, ec);
  const auto* members = ec ? nullptr : value.if_object();
  const auto* session = members ? members->if_contains("session_id") : nullptr;
  const auto* events = members ? members->if_contains("events") : nullptr;
  const auto* created = members ? members->if_contains("created") : nullptr;
  if (!session || !session->is_string() || !events || !events->is_int64() || !created ||
      !created->is_bool())
    return error(codes::storage_corrupt, "not the answer of an import");
  imported_session made;
  made.session = session_id(std::string(session->get_string()));
  made.events = static_cast<std::uint64_t>(events->get_int64());
  made.created = created->get_bool();
  return answered<imported_session>(std::move(made), true);
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

// The whole document becomes the session.
asio::awaitable<result<void>> copy_in(services& s, const caller& who, const session_key& to,
                                      std::shared_ptr<import_work> work,
                                      const imported_session& made, idempotency_gate::entry& gate) {
  copy_options options;
  options.to = to;
  options.epoch = s.node.log.epoch();
  options.rename = renamer(to.session);
  options.opened_by = origin_of(who);
  options.all_by_opener = true;
  session_stager stager(s, who.io_thread, std::move(options));
  session_stager::source next = [work](const session_stager::taker& take) {
    return work->copy_some(take);
  };
  auto done = co_await stager.copy_all(std::move(next));
  auto record = s.idempotency.record_of(gate, 201, encode(made));
  if (done) done = co_await stager.publish(stager.info(), std::move(record));
  if (!done) co_return co_await give_up(s, stager, gate, done.error());
  // An actor that was asked for this session before it was there must fold it anew.
  actors::restart_request again;
  again.key = to;
  again.from = origin_of(who);
  (void)co_await s.ask_tenant<actors::command_outcome>(who, std::move(again));
  co_return result<void>();
}

}  // namespace

asio::awaitable<result<answered<imported_session>>> import_session(services& s, const admitted& in,
                                                                   once_key key, body_source* body,
                                                                   std::uint64_t& refused_line) {
  const auto& who = in.who();
  attachment_restorer restorer(s.files.attachments, who.tenant, who.user.value);
  auto work = std::make_shared<import_work>(std::move(restorer));
  auto whole = co_await spool(s, who, body, work);
  if (!whole) {
    refused_line = work->document.line();
    co_return whole.error();
  }
  const auto place = co_await wait_for_place(s.imports, who.tenant);
  if (!place) co_return error(codes::server_busy, "many documents are being taken in", 5);
  const auto& hash = work->document.hash();
  key.hash = hash;
  auto gate = co_await s.idempotency.enter(who, std::move(key));
  if (!gate) co_return gate.error();
  if (gate->replay) co_return kept_import(*gate);
  import_pass pass(s.imports, {who.tenant, session_id(hash)});
  if (!pass.held())
    co_return error(codes::server_busy, "this document is being taken in already", 1);
  auto place_of = [log = &s.node.log, tenant = who.tenant, hash] {
    return import_place(*log, tenant, hash);
  };
  auto found = co_await on_lane(s.lanes.writes, place_of);
  if (!found) co_return found.error();
  imported_session made;
  made.session = found->key.session;
  made.events = work->document.events();
  made.created = !found->there;
  if (made.created) {
    auto done = co_await copy_in(s, who, found->key, work, made, *gate);
    if (!done) co_return done.error();
    if (gate->replay) co_return kept_import(*gate);
  } else if (!gate->key.empty()) {
    auto record = s.idempotency.record_of(*gate, 201, encode(made));
    auto keep = [log = &s.node.log, record] { return log->put_idempotency(record); };
    auto kept = co_await on_lane(s.lanes.writes, keep);
    if (!kept) co_return kept.error();
  }
  co_return answered<imported_session>(std::move(made), false);
}

}  // namespace soma::app
