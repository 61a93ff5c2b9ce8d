#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/codes.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "files/attachment_audit.hpp"
#include "files/attachment_store.hpp"
#include "security/digest.hpp"
#include "storage/attachment_rows.hpp"
#include "support/held_log.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::files;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t hour_ms = 3'600'000, day_ms = 24 * hour_ms;

struct fake_scanner final : scanner {
  verdict says = verdict::clean;
  int asked = 0;
  scan_result scan(const std::string& path) override {
    ++asked;
    std::ifstream in(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (bytes.find("EVIL") != std::string::npos) return {verdict::harmful, "Test.Evil"};
    return {says, {}};
  }
};

// A log that refuses rows as a full disk does, and may have kept them all the same.
class full_log final : public storage::held_log {
 public:
  using changes = std::span<const storage::document_change>;
  using documents = std::span<const std::pair<std::string, std::string>>;
  explicit full_log(storage::event_log& inner) : held_log(inner), inner_(inner) {}

  result<void> put_documents(std::string_view collection, documents all) override {
    if (!full) return inner_.put_documents(collection, all);
    torn_.assign(all.begin(), all.end());
    return refusal();
  }
  result<void> change_documents(std::string_view collection, changes all) override {
    return full ? result<void>(refusal()) : inner_.change_documents(collection, all);
  }
  // As the next opening finds it.
  void make_room(bool kept) {
    full = false;
    if (kept) REQUIRE(inner_.put_documents(storage::attachment_collection, torn_));
  }
  bool full = false;

 private:
  static error refusal() { return {codes::storage_full, "the disk is full"}; }
  storage::event_log& inner_;
  std::vector<std::pair<std::string, std::string>> torn_;
};

struct world {
  testing::temp_folder folder;
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  fake_scanner judge;
  std::unique_ptr<attachment_store> store;
  const tenant_id tenant{"t"}, other{"other"};
  const attachment_reader me{tenant, "u", false}, stranger{other, "u", false};

  world() { open(); }

  void open() {
    store_options options;
    options.folder = folder / "attachments";
    options.file_bytes_max = 1000;
    options.types = {"*/*"};
    options.types_refused = {"application/pdf"};
    auto opened = attachment_store::open(*log, options, &judge);
    REQUIRE(opened);
    store = std::move(*opened);
  }

  result<stored_attachment> send(std::string_view bytes, const tenant_id& whose,
                                 std::string_view name = "a.txt") {
    auto file = store->begin(whose);
    REQUIRE(file);
    if (auto taken = store->append(*file, bytes); !taken) return taken.error();
    return store->add(std::move(*file), {whose, "u", std::string(name), {}});
  }
  stored_attachment sent(std::string_view bytes) {
    auto made = send(bytes, tenant);
    REQUIRE(made);
    return *made;
  }

  // As a session's actor does it.
  session_key say(const std::string& attachment) {
    session_key session{tenant, session_id(new_uuid())};
    event e;
    e.meta.id = {1, 1};
    e.meta.key = session;
    e.body = body::message_user{"m", "m", "hi", {{attachment}}};
    storage::append_op op;
    op.key = session;
    op.events.push_back({1, e.type(), encode(e)});
    op.info.emplace();
    storage::add_attachment_uses(op.documents, session, e.body);
    REQUIRE(log->commit({&op, 1})[0]);
    return session;
  }
  void erase(const session_key& session) {
    storage::append_op op;
    op.key = session;
    op.expected_seq = 1;
    op.remove = true;
    op.documents.push_back(storage::session_gone_row(session));
    REQUIRE(log->commit({&op, 1})[0]);
  }

  std::size_t files() const {
    std::size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder.path()))
      count += entry.is_regular_file();
    return count;
  }
  std::size_t rows() const {
    return log->list_documents(storage::attachment_collection, "", 1000)->size();
  }
  result<std::optional<stored_attachment>> add_known(std::string_view sha256,
                                                     const origin_of_file& from) {
    auto found = store->find_known(sha256, from);
    if (!found) return found.error();
    if (!*found) return std::optional<stored_attachment>();
    std::vector<attachment_store::whole_file> one;
    one.push_back(std::move(**found));
    auto made = store->add_all(std::move(one));
    if (!made) return made.error();
    return std::optional(std::move(made->front()));
  }
  std::string_view state(const std::string& id) const {
    auto found = store->look(tenant, id);
    return found ? "there" : found.error().code;
  }
  void tidy_at(std::int64_t ms) { REQUIRE(store->tidy(ms, 1000)); }
};

}  // namespace

TEST_CASE("attachments: what is sent is found by its tenant, under its hash and a safe name") {
  world w;
  auto a = w.send("hello", w.tenant, "../x/caf\xc3\xa9.txt");
  REQUIRE(a);
  CHECK(a->filename == "caf\xc3\xa9.txt");
  CHECK(a->content_type == "text/plain");
  CHECK(a->size_bytes == 5);
  CHECK(a->sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  auto found = w.store->find(w.me, a->id);
  REQUIRE(found);
  std::ifstream in(found->path);
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == "hello");
  CHECK(w.store->find(w.stranger, a->id).error().code == codes::attachment_not_found);
  CHECK(w.state("no id") == codes::attachment_not_found);
  CHECK(w.state(new_uuid()) == codes::attachment_not_found);
}

TEST_CASE("attachments: equal bytes are kept once and go with the last that has them") {
  world w;
  const auto a = w.sent("same"), b = w.sent("same");
  auto c = w.send("same", w.other);
  REQUIRE(c);
  CHECK(a.id != b.id);
  CHECK(w.files() == 1);
  REQUIRE(w.store->remove(w.tenant, a.id));
  CHECK(w.state(a.id) == codes::attachment_expired);
  CHECK(w.state(b.id) == "there");
  REQUIRE(w.store->remove(w.tenant, b.id));
  CHECK(w.files() == 1);
  REQUIRE(w.store->remove(w.other, c->id));
  CHECK(w.files() == 0);
  CHECK(w.store->remove(w.other, c->id).error().code == codes::attachment_expired);
  CHECK(w.store->remove(w.other, new_uuid()).error().code == codes::attachment_not_found);
}

TEST_CASE("attachments: too long, of a refused type or unfinished files leave nothing") {
  world w;
  CHECK(w.send(std::string(1001, 'x'), w.tenant).error().code == codes::upload_too_large);
  CHECK(w.send("%PDF-1.7\n", w.tenant).error().code == codes::upload_type_refused);
  {
    auto file = w.store->begin(w.tenant);
    REQUIRE(file);
    REQUIRE(w.store->append(*file, "half"));
    CHECK(w.files() == 1);
  }
  CHECK(w.files() == 0);
  CHECK(w.rows() == 0);
  CHECK(w.send(std::string(1000, 'x'), w.tenant));
}

TEST_CASE("attachments: only bytes of files that their sender may read are known by their hash") {
  world w;
  const auto a = w.sent("mine");
  CHECK_FALSE(*w.add_known(a.sha256, {w.tenant, "u2", "b.csv", {}}));
  auto again = w.add_known(a.sha256, {w.tenant, "u", "b.csv", {}});
  REQUIRE(again);
  REQUIRE(*again);
  CHECK((*again)->id != a.id);
  CHECK((*again)->filename == "b.csv");
  CHECK((*again)->size_bytes == 4);
  CHECK(w.state((*again)->id) == "there");
  auto foreign = w.add_known(a.sha256, {w.other, "u", "b", {}});
  REQUIRE(foreign);
  CHECK_FALSE(*foreign);
  auto unknown = w.add_known(std::string(64, '0'), {w.tenant, "u", "b", {}});
  REQUIRE(unknown);
  CHECK_FALSE(*unknown);
}

TEST_CASE("attachments: what no message names goes after its time and is remembered for a while") {
  world w;
  const auto a = w.sent("unused");
  w.tidy_at(now_ms() + 23 * hour_ms);
  CHECK(w.state(a.id) == "there");
  w.tidy_at(now_ms() + 25 * hour_ms);
  w.tidy_at(now_ms() + 25 * hour_ms);
  CHECK(w.state(a.id) == codes::attachment_expired);
  CHECK(w.files() == 0);
  w.tidy_at(now_ms() + 32 * day_ms);
  w.tidy_at(now_ms() + 32 * day_ms);
  CHECK(w.state(a.id) == codes::attachment_not_found);
  CHECK(w.rows() == 0);
}

TEST_CASE("attachments: what a message names stays until its last session is deleted") {
  world w;
  const auto a = w.sent("used");
  const auto first = w.say(a.id), second = w.say(a.id);
  w.tidy_at(now_ms() + 400 * day_ms);
  CHECK(w.state(a.id) == "there");
  w.erase(first);
  auto gone = w.store->drop_uses_of_deleted(10);
  REQUIRE(gone);
  CHECK(*gone == std::vector<session_key>{first});
  CHECK(w.store->drop_uses_of_deleted(10)->size() == 1);  // until it is forgotten
  REQUIRE(w.store->forget_session(first));
  CHECK(w.store->drop_uses_of_deleted(10)->empty());
  w.tidy_at(now_ms() + 400 * day_ms);
  CHECK(w.state(a.id) == "there");
  w.erase(second);
  REQUIRE(w.store->drop_uses_of_deleted(10));
  REQUIRE(w.store->forget_session(second));
  w.tidy_at(now_ms() + hour_ms);
  CHECK(w.state(a.id) == "there");  // young enough to be named again
  w.tidy_at(now_ms() + 25 * hour_ms);
  CHECK(w.state(a.id) == codes::attachment_expired);
  CHECK(w.files() == 0);
  w.tidy_at(now_ms() + 40 * day_ms);
  w.tidy_at(now_ms() + 80 * day_ms);
  CHECK(w.rows() == 0);
}

TEST_CASE("attachments: a tool's file belongs to its session from the start") {
  world w;
  session_key session = w.say(w.sent("x").id);
  auto kept = w.store->keep(session, "out.csv", "text/csv", "1,2");
  REQUIRE(kept);
  CHECK(kept->content_type == "text/csv");
  w.tidy_at(now_ms() + 400 * day_ms);
  CHECK(w.state(kept->attachment_id) == "there");
  w.erase(session);
  REQUIRE(w.store->drop_uses_of_deleted(10));
  w.tidy_at(now_ms() + 400 * day_ms);
  CHECK(w.state(kept->attachment_id) == codes::attachment_expired);
}

TEST_CASE("attachments: harmful files are held back, and those not judged yet until they are") {
  world w;
  auto evil = w.sent("some EVIL bytes");
  CHECK(evil.state == attachment_state::quarantined);
  CHECK(w.state(evil.id) == codes::attachment_quarantined);
  CHECK(w.store->name(w.me, {evil.id}).error().code == codes::attachment_quarantined);
  REQUIRE(w.store->remove(w.tenant, evil.id));
  w.judge.says = verdict::undecided;
  const auto later = w.sent("good");
  CHECK(later.state == attachment_state::pending);
  CHECK(w.state(later.id) == codes::attachment_pending);
  w.tidy_at(now_ms() + hour_ms);
  CHECK(w.state(later.id) == codes::attachment_pending);
  w.judge.says = verdict::clean;
  w.tidy_at(now_ms() + 2 * hour_ms);
  CHECK(w.state(later.id) == "there");
}

TEST_CASE(
    "attachments: a scanner that is away is asked once a round, and nobody waits for another") {
  world w;
  w.judge.says = verdict::undecided;
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(w.sent("file " + std::to_string(i)).id);
  w.judge.asked = 0;
  w.tidy_at(now_ms() + hour_ms);
  CHECK(w.judge.asked == 1);
  w.judge.says = verdict::clean;
  w.tidy_at(now_ms() + hour_ms + 2000);
  CHECK(w.judge.asked == 5);  // the one that was asked is left for a minute
  w.tidy_at(now_ms() + 2 * hour_ms);
  for (const auto& id : ids) CHECK(w.state(id) == "there");
}

TEST_CASE("attachments: a file kept for a session that is deleted already does not stay") {
  world w;
  const session_key session = w.say(w.sent("x").id);
  w.erase(session);
  REQUIRE(w.store->drop_uses_of_deleted(10));
  REQUIRE(w.store->forget_session(session));
  auto late = w.store->keep(session, "late", "text/plain", "late");
  REQUIRE(late);
  CHECK(w.store->drop_uses_of_deleted(10)->size() == 1);
  w.tidy_at(now_ms() + 25 * hour_ms);
  CHECK(w.state(late->attachment_id) == codes::attachment_expired);
}

TEST_CASE("attachments: bytes that a crash left without a row go, those of a row stay") {
  world w;
  const auto a = w.sent("kept");
  const std::string orphan(64, 'a');
  std::ofstream(w.folder / ("attachments/aa/" + orphan)) << "left";
  std::ofstream(w.folder / "attachments/incoming/half") << "half";
  w.open();
  CHECK(w.files() == 2);
  CHECK(w.store->remove_orphans() == 1);
  CHECK(w.files() == 1);
  CHECK(w.state(a.id) == "there");
}

TEST_CASE(
    "attachments: bytes whose rows a full disk refused stay until it is known whether it has "
    "them") {
  world w;
  const auto inner = std::move(w.log);
  auto made = std::make_unique<full_log>(*inner);
  auto& disk = *made;
  w.log = std::move(made);
  w.open();
  for (const bool kept : {true, false}) {
    CAPTURE(kept);
    const std::string bytes = kept ? "kept" : "refused";
    const auto before = w.files();
    disk.full = true;
    CHECK(w.send(bytes, w.tenant).error().code == codes::storage_full);
    CHECK(w.files() == before + 1);
    w.tidy_at(now_ms());
    CHECK(w.store->remove_orphans() == 0);
    CHECK(w.files() == before + 1);
    disk.make_room(kept);
    w.tidy_at(now_ms());
    CHECK(w.files() == before + kept);
    const auto sha256 = security::hex(security::bytes_of(security::sha256(bytes)));
    const auto known = w.add_known(sha256, {w.tenant, "u", "again", {}});
    REQUIRE(known);
    CHECK(known->has_value() == kept);
  }
}

TEST_CASE(
    "attachments: a pipe in the place of bytes is damage, and nobody waits for its other end") {
  world w;
  const auto a = w.sent("bytes");
  const auto path = w.store->path_of(a);
  fs::remove(path);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const auto opened = w.store->open_bytes(a);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().code == codes::storage_corrupt);
  CHECK(opened.error().detail.find("a pipe is in their place") != std::string::npos);
}

TEST_CASE("attachments: a message names each once, with what it is called") {
  world w;
  const auto a = w.sent("one"), b = w.sent("two");
  auto named = w.store->name(w.me, {a.id, b.id, a.id});
  REQUIRE(named);
  REQUIRE(named->size() == 2);
  CHECK(named->front() == attachment_ref{a.id, "a.txt", "text/plain", 3});
  CHECK(w.store->name(w.me, {a.id, new_uuid()}).error().code == codes::attachment_not_found);
  CHECK(w.store->name(w.stranger, {a.id}).error().code == codes::attachment_not_found);
}

TEST_CASE("attachments: whether bytes must be read whole first is told without reading them") {
  world w;
  const auto a = w.sent("hello world");
  w.store.reset();
  w.open();  // what was found before is forgotten
  CHECK(w.store->open_bytes(a, false).value().get() < 0);
  CHECK(w.store->open_bytes(a).value().get() >= 0);
  CHECK(w.store->open_bytes(a, false).value().get() >= 0);
}

TEST_CASE(
    "attachments: damaged bytes are never given to anybody, and are mended by the same bytes") {
  world w;
  const auto a = w.sent("hello world");
  const auto path = w.store->path_of(a);
  REQUIRE(w.store->open_bytes(a));
  SUBCASE("another byte") {
    std::ofstream(path, std::ios::in | std::ios::out) << "J";
  }
  SUBCASE("one more") {
    std::ofstream(path, std::ios::app) << "!";
  }
  SUBCASE("one fewer") {
    fs::resize_file(path, 10);
  }
  SUBCASE("none") {
    fs::resize_file(path, 0);
  }
  SUBCASE("no file") {
    fs::remove(path);
  }
  SUBCASE("before a start") {
    w.store.reset();
    std::ofstream(path, std::ios::in | std::ios::out) << "J";
    w.open();
  }
  for (int n = 0; n < 2; ++n) {
    const auto opened = w.store->open_bytes(a);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().code == codes::storage_corrupt);
    CHECK(opened.error().detail.find(a.id) != std::string::npos);
    CHECK(w.store->find(w.me, a.id).error().code == codes::storage_corrupt);
  }
  const auto all = bytes_of_attachments(*w.log).value();
  REQUIRE(all.size() == 1);
  const auto damaged = find_damaged_bytes(w.folder / "attachments", all);
  REQUIRE(damaged.size() == 1);
  CHECK(damaged[0].what.named == a.id);
  CHECK(damaged[0].path == path);
  // Whoever asks whether they are here is told to send them, and then the old one is whole, too.
  CHECK_FALSE(w.add_known(a.sha256, {w.tenant, "u", "b.txt", {}, {}})->has_value());
  w.sent("hello world");
  CHECK(w.store->open_bytes(a));
  CHECK(w.store->find(w.me, a.id));
  CHECK(find_damaged_bytes(w.folder / "attachments", all).empty());
}

TEST_CASE("attachments: several files and the answer that names them are one atom") {
  world w;
  const auto whole = [&](std::string_view bytes) {
    auto file = w.store->begin(w.tenant);
    REQUIRE(file);
    REQUIRE(w.store->append(*file, bytes));
    auto finished = w.store->finish(std::move(*file), {w.tenant, "u", "a.txt", {}});
    REQUIRE(finished);
    return std::move(*finished);
  };
  const auto two = [&] {
    std::vector<attachment_store::whole_file> files;
    files.push_back(whole("one"));
    files.push_back(whole("two"));
    return files;
  };
  storage::idempotency_record answer{"key", "hash", 201, "[]", now_ms()};
  auto files = two();
  CHECK(w.rows() == 0);
  auto made = w.store->add_all(std::move(files), &answer);
  REQUIRE(made);
  CHECK(made->size() == 2);
  CHECK(w.files() == 2);
  CHECK((*w.log->find_idempotency("key"))->response_json == "[]");
  const auto rows = w.rows();
  // The key has its answer: nothing is made, and the bytes of nobody go.
  files = two();
  files.push_back(whole("three"));
  CHECK(w.files() == 5);
  const auto again = w.store->add_all(std::move(files), &answer);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == codes::idempotency_exists);
  CHECK(w.rows() == rows);
  CHECK(w.files() == 2);
  CHECK(w.state((*made)[0].id) == "there");
}
