#include "app/uploads.hpp"

#include "app/attachment_json.hpp"
#include "app/file_services.hpp"
#include "app/on_lane.hpp"
#include "app/services.hpp"
#include "core/codes.hpp"
#include "files/multipart_parser.hpp"
#include "security/digest.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;
using files::attachment_store;

constexpr std::size_t parts_beside_files = 16;
// Bytes that are found may go before they are attached again.
constexpr int known_tries_max = 3;

attachment shown(const files::stored_attachment& a) {
  attachment made;
  made.id = a.id;
  made.filename = a.filename;
  made.sha256 = a.sha256;
  made.content_type = a.content_type;
  made.size_bytes = a.size_bytes;
  made.status = files::to_string(a.state);
  return made;
}

// Takes the parts of one request. On the lane of files alone.
class upload_work final : public files::part_sink {
 public:
  // `together`: nothing is an attachment before `add`.
  upload_work(attachment_store& store, std::string_view boundary, std::size_t files_max,
              files::origin_of_file whose, bool together)
      : store_(store),
        files_max_(files_max),
        together_(together),
        whose_(std::move(whose)),
        parser_(boundary, files_max + parts_beside_files) {}

  result<void> feed(std::string_view bytes) { return parser_.feed(bytes, *this); }

  // The body is over. Where it failed, what came whole before need not be sent again.
  result<void> finish(result<void> taken) {
    if (taken) taken = parser_.finish();
    if (taken && made_.empty()) taken = error(codes::upload_empty, "no part of the body is a file");
    if (!taken) (void)store_.add_all(std::exchange(waiting_, {}));
    return taken;
  }

  // Those that waited for it, in one atom with the answer that names them.
  result<void> add(const storage::idempotency_record& answer) {
    auto added = store_.add_all(std::exchange(waiting_, {}), &answer);
    return added ? result<void>() : result<void>(added.error());
  }

  const std::vector<attachment>& made() const { return made_; }

  result<void> on_part(const files::part_head& head) override {
    if (!head.filename) return {};  // a field of the form: nothing here asks for one
    if (made_.size() == files_max_)
      return error(codes::upload_too_many, "more files than uploads.files_max");
    auto file = store_.begin(whose_.tenant);
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
    auto whole = store_.finish(std::move(*file_), whose_);
    file_.reset();
    if (!whole) return whole.error();
    made_.push_back(shown(whole->what));
    waiting_.push_back(std::move(*whole));
    if (together_) return {};
    auto added = store_.add_all(std::exchange(waiting_, {}));
    return added ? result<void>() : result<void>(added.error());
  }

 private:
  attachment_store& store_;
  const std::size_t files_max_;
  const bool together_;
  files::origin_of_file whose_;
  files::multipart_parser parser_;
  std::optional<attachment_store::incoming> file_;
  std::vector<attachment_store::whole_file> waiting_;
  std::vector<attachment> made_;
};

// What a request with the same key must bring again. Boundaries and declared types differ from one
// try to the next.
std::string content_hash(const std::vector<attachment>& all) {
  security::sha256_stream hash;
  for (const auto& a : all) {
    hash.update(std::to_string(a.filename.size()) + ':' + a.filename);
    hash.update(a.sha256);
  }
  return security::hex(security::bytes_of(hash.finish()));
}

// The answer that is kept by now, after idempotency.exists.
asio::awaitable<result<std::string>> answer_before(services& s, idempotency_gate::entry& gate) {
  auto looked = co_await s.idempotency.look(gate);
  if (!looked) co_return looked.error();
  if (!gate.replay)  // it has expired since
    co_return error(codes::server_busy, "the request was carried out a while ago", 1);
  co_return gate.replay->response_json;
}

result<answered<std::vector<attachment>>> upload_before(std::string_view json) {
  auto all = parse_attachments(json);
  if (!all) return all.error();
  return answered<std::vector<attachment>>(std::move(*all), true);
}

// Makes attachments of files that are whole, once: where the key has had an answer before, that
// one, and the files go again.
asio::awaitable<result<answered<std::vector<attachment>>>> keep_together(
    services& s, const caller& who, once_key key, std::shared_ptr<upload_work> work) {
  key.hash = content_hash(work->made());
  key.old_hash.clear();
  auto gate = co_await s.idempotency.enter(who, std::move(key));
  if (!gate) co_return gate.error();
  if (gate->replay) co_return upload_before(gate->replay->response_json);
  auto record = s.idempotency.record_of(*gate, 201, attachments_json(work->made()));
  auto add = [work, record] { return work->add(record); };
  auto added = co_await on_lane(s.files.pool, add);
  if (!added && added.error().code == codes::idempotency_exists) {
    auto before = co_await answer_before(s, *gate);
    if (!before) co_return before.error();
    co_return upload_before(*before);
  }
  if (!added) co_return added.error();
  co_return answered<std::vector<attachment>>(work->made(), false);
}

asio::awaitable<result<answered<std::vector<attachment>>>> take_form(
    services& s, const caller& who, once_key key, file_form form,
    std::shared_ptr<upload_work> work) {
  std::function<result<void>(std::string_view)> feed = [work](std::string_view bytes) {
    return work->feed(bytes);
  };
  const auto turn = turn_of(who.tenant);
  auto taken = co_await each_piece(s.files.pool, turn, form.body, std::move(feed));
  auto end = [work, taken] { return work->finish(taken); };
  auto whole = co_await on_lane(s.files.pool, turn, end);
  if (!whole) co_return whole.error();
  if (key.key.empty()) co_return answered<std::vector<attachment>>(work->made(), false);
  co_return co_await keep_together(s, who, std::move(key), std::move(work));
}

// ---- what is there already ----

// `answer`: kept with them, where it has a key.
result<known_files> attach_known(attachment_store& store, const caller& who,
                                 const std::vector<claimed_file>& claims,
                                 storage::idempotency_record answer) {
  for (int left = known_tries_max;;) {
    known_files known;
    std::vector<attachment_store::whole_file> files;
    for (const auto& claim : claims) {
      auto found = store.find_known(
          claim.sha256, {who.tenant, who.user.value, claim.filename, {}, {}, sees_all(who)});
      if (!found) return found.error();
      if (*found) {
        known.files.push_back(shown((*found)->what));
        files.push_back(std::move(**found));
      } else {
        known.missing.push_back(claim.sha256);
      }
    }
    answer.response_json = known_files_json(known);
    auto added = store.add_all(std::move(files), answer.key.empty() ? nullptr : &answer);
    if (added) return known;
    if (added.error().code != codes::attachment_not_found || --left == 0) return added.error();
  }
}

result<answered<known_files>> known_before(std::string_view json) {
  auto known = parse_known_files(json);
  if (!known) return known.error();
  return answered<known_files>(std::move(*known), true);
}

// ---- reading ----

// Without a file where its bytes are to be read whole first, for their hash.
result<opened_file> open_bytes(const attachment_store& store, const tools::attachment_reader& who,
                               std::string_view id, bool may_read) {
  auto a = store.look(who, id);
  if (!a) return a.error();
  auto bytes = store.open_bytes(*a, may_read);
  if (!bytes) return bytes.error();
  opened_file opened;
  if (bytes->get() >= 0) opened.file = std::make_shared<files::open_file>(std::move(*bytes));
  opened.size_bytes = a->size_bytes;
  opened.version = a->sha256;
  opened.content_type = std::move(a->content_type);
  opened.filename = std::move(a->filename);
  return opened;
}

}  // namespace

asio::awaitable<result<answered<std::vector<attachment>>>> take_upload(services& s,
                                                                       const admitted& in,
                                                                       once_key key,
                                                                       file_form form) {
  const auto& who = in.who();
  const upload_place place(s.files, who);
  if (!place) co_return error(codes::server_busy, "many uploads are under way", 5);
  files::origin_of_file whose;
  whose.tenant = who.tenant;
  whose.user_id = who.user.value;
  auto work = std::make_shared<upload_work>(
      s.files.attachments, form.boundary,
      static_cast<std::size_t>(s.settings.number("uploads.files_max")), std::move(whose),
      !key.key.empty());
  auto made = co_await take_form(s, who, std::move(key), std::move(form), work);
  // What it holds of files that stay nobody's is removed from the disk, so not here.
  s.files.pool.post([work = std::move(work)] {});
  co_return made;
}

asio::awaitable<result<answered<known_files>>> find_known_files(services& s, const admitted& in,
                                                                once_key key,
                                                                std::vector<claimed_file> claims) {
  const auto& who = in.who();
  // Each claim reads and writes rows on the threads of uploads: of its tenant's places.
  const upload_place place(s.files, who);
  if (!place) co_return error(codes::server_busy, "many uploads are under way", 5);
  auto gate = co_await s.idempotency.enter(who, std::move(key));
  if (!gate) co_return gate.error();
  if (gate->replay) co_return known_before(gate->replay->response_json);
  auto answer = s.idempotency.record_of(*gate, 200, {});
  auto attach = [&store = s.files.attachments, who, claims = std::move(claims),
                 answer = std::move(answer)] { return attach_known(store, who, claims, answer); };
  auto known = co_await on_lane(s.files.pool, attach);
  if (!known && known.error().code == codes::idempotency_exists) {
    auto before = co_await answer_before(s, *gate);
    if (!before) co_return before.error();
    co_return known_before(*before);
  }
  if (!known) co_return known.error();
  co_return answered<known_files>(std::move(*known), false);
}

asio::awaitable<result<opened_file>> open_attachment(services& s, const caller& who,
                                                     std::string id) {
  const auto look = [&store = s.files.attachments, reader = attachment_reader_of(who),
                     id](bool may_read) {
    return [&store, reader, id, may_read] { return open_bytes(store, reader, id, may_read); };
  };
  auto known = look(false);
  auto opened = co_await on_lane(s.files.reads, known);
  if (opened && !opened->file) {
    auto whole = look(true);
    opened = co_await on_lane(s.files.hashes, whole);
  }
  if (opened) opened->reads = &s.files.reads;
  co_return opened;
}

asio::awaitable<result<void>> delete_attachment(services& s, const admitted& in, std::string id) {
  auto work = [&store = s.files.attachments, who = attachment_reader_of(in.who()),
               id = std::move(id)]() -> result<void> {
    const auto there = store.get(who.tenant, id);
    if (!there) return there.error();
    if (*there) {
      const auto seen = store.may_see(who, **there);
      if (!seen) return seen.error();
      if (!*seen) return error(codes::attachment_not_found, "there is no such attachment");
      if (!who.sees_all && (*there)->user_id != who.user_id)
        return error(codes::policy_denied, "this is for who sent the file and for admins")
            .by_rule("owner");
    }
    return store.remove(who.tenant, id);
  };
  co_return co_await on_lane(s.files.pool, work);
}

}  // namespace soma::app
