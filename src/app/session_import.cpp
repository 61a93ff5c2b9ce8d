#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <chrono>

#include "app/cluster.hpp"
#include "app/copied_session.hpp"
#include "app/file_services.hpp"
#include "app/import_spool.hpp"
#include "app/on_lane.hpp"
#include "app/on_writes.hpp"
#include "app/services.hpp"
#include "app/session_copies.hpp"
#include "app/session_document.hpp"
#include "app/session_stager.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/limits.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

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

// Lets go of it on the pool: that closes a large file, or removes an unfinished one.
struct held_import {
  lane& pool;
  std::shared_ptr<import_work> work;

  held_import(lane& on, attachment_restorer to)
      : pool(on), work(std::make_shared<import_work>(std::move(to))) {}
  held_import(const held_import&) = delete;
  ~held_import() {
    pool.post([work = std::move(work)] {});
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
  const auto turn = long_turn_of(who.tenant);
  auto open = [work, folder, reserve] { return work->spool.open(folder, reserve); };
  auto good = co_await on_lane(s.lanes.longer, turn, open);
  if (!good) co_return good;
  std::function<result<void>(std::string_view)> check = [work](std::string_view bytes) {
    return work->check(bytes);
  };
  good = co_await each_piece(s.lanes.longer, turn, body, std::move(check));
  if (!good) co_return good;
  auto finish = [work] {
    auto whole = work->check_end();
    return whole ? work->spool.rewind() : whole;
  };
  co_return co_await on_lane(s.lanes.longer, turn, finish);
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

std::string import_row(const caller& who, const std::string& hash) {
  return who.tenant.value + '\n' + hash + '\n' + who.user.value;
}

// Which session a document becomes: always the same one of its importer's, unless that was deleted.
// Its ids then must not be given again, so the next import is another session.
result<found_place> import_place(storage::event_log& log, const caller& who,
                                 const std::string& hash, const session_id& fresh) {
  // The second is a row of earlier versions, which told all of a tenant of the one that any of them
  // had made.
  for (const auto& row : {import_row(who, hash), who.tenant.value + '\n' + hash}) {
    auto known = log.get_document(imports_collection, row);
    if (!known) return known.error();
    if (!*known) continue;
    const session_key key{who.tenant, session_id(**known)};
    auto head = log.head(key);
    if (head && head->info.user_id == who.user.value) return found_place{key, true};
    if (!head && head.error().code != codes::session_not_found) return head.error();
  }
  return found_place{{who.tenant, fresh}, false};
}

// The whole document becomes the session.
asio::awaitable<result<void>> copy_in(services& s, const caller& who, const session_key& to,
                                      std::shared_ptr<import_work> work,
                                      const imported_session& made, idempotency_gate::entry& gate) {
  // Known as taken in once it is, and not before.
  std::vector<storage::document_row> rows;
  rows.push_back(
      {std::string(imports_collection), import_row(who, work->document.hash()), to.session.value});
  copy_options options;
  options.to = to;
  options.epoch = s.node.log.epoch_of(to);
  options.rename = renamer(to.session);
  options.opened_by = origin_of(who);
  options.all_by_opener = true;
  session_stager stager(s, who.io_thread, std::move(options), s.files.pool);
  session_stager::source next = [work](const session_stager::taker& take) {
    return work->copy_some(take);
  };
  auto done = co_await stager.copy_all(std::move(next));
  if (done) {
    session_stager::use_filter named = [work](std::string_view id) {
      return work->attachments.may_be_named(id);
    };
    done = co_await stager.keep_uses(std::move(named));
  }
  auto record = s.idempotency.record_of(gate, 201, encode(made));
  if (done) done = co_await stager.publish(stager.info(), std::move(record), std::move(rows));
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
  if (const auto full = s.node.refuses_more(who.tenant)) co_return *full;
  attachment_restorer restorer(s.files.attachments, attachment_reader_of(who));
  const held_import held(s.files.pool, std::move(restorer));
  const auto& work = held.work;
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
  import_pass pass(s.imports, {who.tenant, session_id(hash + '\n' + who.user.value)});
  if (!pass.held())
    co_return error(codes::server_busy, "this document is being taken in already", 1);
  auto place_of = [log = &s.node.log, who, hash, fresh = fresh_session(s, who)] {
    return import_place(*log, who, hash, fresh);
  };
  auto found = co_await on_writes(s, who.tenant, place_of);
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
    auto kept = co_await on_writes(s, who.tenant, keep);
    if (!kept) co_return kept.error();
  }
  co_return answered<imported_session>(std::move(made), false);
}

}  // namespace soma::app
