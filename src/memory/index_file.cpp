#include "memory/index_file.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/codes.hpp"
#include "core/utf8.hpp"
#include "memory/words.hpp"

namespace soma::memory {
namespace {

constexpr const char* tables = R"(
CREATE TABLE marks(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tenants(no INTEGER PRIMARY KEY, tenant TEXT NOT NULL UNIQUE,
                     items INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE sizes(tenant INTEGER NOT NULL, number INTEGER NOT NULL, items INTEGER NOT NULL,
                   PRIMARY KEY(tenant, items)) WITHOUT ROWID;
CREATE TABLE items(number INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, session TEXT NOT NULL,
                   id TEXT NOT NULL, kind TEXT NOT NULL, message_id TEXT NOT NULL,
                   owner TEXT NOT NULL, state TEXT NOT NULL, tags TEXT NOT NULL,
                   pinned INTEGER NOT NULL, created_at INTEGER NOT NULL,
                   expires_at INTEGER NOT NULL, bytes INTEGER NOT NULL, text TEXT NOT NULL);
CREATE UNIQUE INDEX items_id ON items(tenant, id);
CREATE INDEX items_session ON items(tenant, session);
CREATE INDEX items_time ON items(tenant, created_at, id);
CREATE INDEX items_expiry ON items(expires_at) WHERE expires_at>0;
CREATE TABLE uses(tenant INTEGER NOT NULL, memory TEXT NOT NULL, at INTEGER NOT NULL,
                  session TEXT NOT NULL, seq INTEGER NOT NULL, event TEXT NOT NULL,
                  turn TEXT NOT NULL,
                  PRIMARY KEY(tenant, memory, at, session, seq)) WITHOUT ROWID;
CREATE INDEX uses_session ON uses(tenant, session, seq);
)";

error wrong_file(const std::string& what) {
  return {codes::storage_corrupt, "the index of memories " + what};
}

// A file that was cut off: SQLite would notice only when it needs what is missing.
result<void> check_length(const std::string& path) {
  std::error_code ec;
  const auto size = std::filesystem::file_size(path, ec);
  if (ec || size == 0) return {};
  std::array<unsigned char, 32> head{};
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(head.data()), head.size());
  if (in.gcount() != head.size()) return wrong_file("is cut off");
  std::uint64_t page = head[16] << 8 | head[17];
  if (page == 1) page = 65536;
  const std::uint64_t pages =
      static_cast<std::uint64_t>(head[28]) << 24 | head[29] << 16 | head[30] << 8 | head[31];
  if (size < page * pages) return wrong_file("is cut off");
  return {};
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

// Between line feeds, so that one is found by what stands around it.
std::string tags_column(const item& it) {
  if (it.tags.empty()) return {};
  std::string out = "\n";
  for (const auto& tag : it.tags) out += tag + '\n';
  return out;
}

// For trigrams, of a text's beginning: parts of words farther on are not found. It bounds what a
// search spends on one text, between two looks at the clock.
std::string cleaned(std::string_view text) {
  constexpr std::size_t bytes_max = 16 * 1024;
  std::string out(text.substr(0, utf8_complete_prefix(text.substr(0, bytes_max))));
  std::replace(out.begin(), out.end(), '\0', ' ');
  return out;
}

}  // namespace

std::string words_table(std::int64_t tenant) {
  return "words_" + std::to_string(tenant);
}

std::string parts_table(std::int64_t tenant) {
  return "parts_" + std::to_string(tenant);
}

void index_file::remove(const std::string& path) {
  std::error_code ec;
  for (const char* end : {"", "-wal", "-shm", "-journal"})
    std::filesystem::remove_all(path + end, ec);
}

result<std::unique_ptr<index_file>> index_file::open(const std::string& path) {
  if (auto whole = check_length(path); !whole) return whole.error();
  auto db = sqlite_file::open(path, sqlite_file::access::write);
  if (!db) return db.error();
  std::unique_ptr<index_file> made(new index_file(std::move(*db)));
  if (auto ready = made->prepare(path); !ready) return ready.error();
  return made;
}

result<void> index_file::prepare(const std::string& path) {
  // What people said is nobody else's on this machine; SQLite's other files take it over.
  std::error_code ec;
  std::filesystem::permissions(
      path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ec);
  // NORMAL: a commit survives the process, and the machine once it is checkpointed. Rows of the
  // outbox are kept until then.
  if (auto ok = db_->run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                         "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-16384;"
                         "PRAGMA journal_size_limit=67108864;");
      !ok)
    return ok;
  auto asked = db_->prepare("PRAGMA user_version");
  if (!asked) return asked.error();
  auto row = asked->step();
  if (!row) return row.error();
  const auto version = asked->number(0);
  asked->reset();
  if (version != 0 && version != index_version) return wrong_file("is of another version");
  if (version == 0) {
    if (auto ok = begin(); !ok) return ok;
    if (auto ok = db_->run(tables); !ok) return wrong_file("is none: " + ok.error().detail);
    if (auto ok = db_->run("PRAGMA user_version=" + std::to_string(index_version)); !ok) return ok;
    if (auto ok = set_building(std::string()); !ok) return ok;
    if (auto ok = set_building_uses(std::string()); !ok) return ok;
    if (auto ok = commit(); !ok) return ok;
  }
  // Only what is not merely stored: where nothing is replicated it is empty.
  if (auto ok = db_->run("CREATE INDEX IF NOT EXISTS items_state ON items(tenant, state) "
                         "WHERE state<>'stored'");
      !ok)
    return ok;
  // By a tenant's numbers, which is the order in which vectors are made. Older files have it made.
  if (auto ok = db_->run("CREATE INDEX IF NOT EXISTS items_tenant ON items(tenant)"); !ok)
    return ok;
  return read_marks();
}

result<void> index_file::read_marks() {
  building_.reset();
  building_uses_.reset();
  auto marks = db_->prepare("SELECT name, value FROM marks");
  if (!marks) return marks.error();
  for (;;) {
    auto row = marks->step();
    if (!row) return row.error();
    if (!*row) break;
    const auto name = marks->text(0), value = marks->text(1);
    if (name == "position") position_ = number_of(value);
    if (name == "last") last_ = static_cast<std::int64_t>(number_of(value));
    if (name == "building") building_ = std::string(value);
    if (name == "building_uses") building_uses_ = std::string(value);
  }
  return {};
}

result<void> index_file::begin() {
  return db_->run("BEGIN IMMEDIATE");
}

result<void> index_file::commit() {
  if (auto ok = set_mark("last", std::to_string(last_)); !ok) return ok;
  return db_->run("COMMIT");
}

void index_file::roll_back() {
  (void)db_->run("ROLLBACK");
  tenants_.clear();
  (void)read_marks();
}

result<void> index_file::set_mark(std::string_view name, std::string_view value) {
  auto put = db_->prepare("INSERT OR REPLACE INTO marks VALUES(?, ?)");
  if (!put) return put.error();
  return put->bind(1, name).bind(2, value).run();
}

result<void> index_file::set_position(std::uint64_t position) {
  position_ = position;
  return set_mark("position", std::to_string(position));
}

result<void> index_file::set_behind(std::string_view name,
                                    const std::optional<std::string>& behind) {
  if (behind) return set_mark(name, *behind);
  auto gone = db_->prepare("DELETE FROM marks WHERE name=?");
  if (!gone) return gone.error();
  return gone->bind(1, name).run();
}

result<void> index_file::set_building(const std::optional<std::string>& behind) {
  building_ = behind;
  return set_behind("building", behind);
}

result<void> index_file::set_building_uses(const std::optional<std::string>& behind) {
  building_uses_ = behind;
  return set_behind("building_uses", behind);
}

result<std::int64_t> index_file::tenant_number(const tenant_id& tenant, bool make) {
  if (const auto at = tenants_.find(tenant.value); at != tenants_.end()) return at->second;
  auto find = db_->prepare("SELECT no FROM tenants WHERE tenant=?");
  if (!find) return find.error();
  auto row = find->bind(1, tenant.value).step();
  if (!row) return row.error();
  if (*row) return tenants_[tenant.value] = find->number(0);
  find->reset();
  if (!make) return 0;
  auto add = db_->prepare("INSERT INTO tenants(tenant) VALUES(?)");
  if (!add) return add.error();
  if (auto ok = add->bind(1, tenant.value).run(); !ok) return ok.error();
  const auto no = db_->last_rowid();
  // Without content of their own: what is said stands in `items` once.
  auto made = db_->run("CREATE VIRTUAL TABLE " + words_table(no) +
                       " USING fts5(text, content='', tokenize=\"unicode61 remove_diacritics 2\");"
                       "CREATE VIRTUAL TABLE " +
                       parts_table(no) + " USING fts5(text, content='', tokenize='trigram');");
  if (!made) return made.error();
  return tenants_[tenant.value] = no;
}

// Whether all of it but its state is as it stands there. Such a row keeps its number, so that what
// was found as of then still is; only its state is set.
result<bool> index_file::put_state(std::int64_t tenant, std::string_view session, const item& it) {
  auto find = db_->kept(
      "SELECT number, session, kind, message_id, owner, tags, pinned, created_at, text, state, "
      "expires_at "
      "FROM items WHERE tenant=? AND id=?");
  if (!find) return find.error();
  auto& s = **find;
  auto there = s.bind(1, tenant).bind(2, it.memory_id).step();
  const bool same = there && *there && s.text(1) == session && s.text(2) == it.kind &&
                    s.text(3) == it.message_id && s.text(4) == it.owner &&
                    s.text(5) == tags_column(it) && s.number(6) == std::int64_t{it.pinned} &&
                    s.number(7) == it.created_at_ms && s.text(8) == it.text &&
                    s.number(10) == it.expires_at_ms;
  const auto row = same ? s.number(0) : 0;
  const bool told = same && s.text(9) == it.state;
  s.reset();
  if (!there) return there.error();
  if (!same || told) return same;
  auto set = db_->kept("UPDATE items SET state=? WHERE number=?");
  if (!set) return set.error();
  if (auto ok = (*set)->bind(1, it.state).bind(2, row).run(); !ok) return ok.error();
  return true;
}

result<void> index_file::put(const tenant_id& tenant, std::string_view session, const item& it,
                             std::uint64_t number) {
  auto known = tenant_number(tenant, true);
  if (!known) return known.error();
  auto same = put_state(*known, session, it);
  if (!same) return same.error();
  if (*same) return {};
  if (auto gone = erase(tenant, it.memory_id); !gone) return gone;
  auto no = tenant_number(tenant, true);
  if (!no) return no.error();
  const auto row = last_ = std::max(last_ + 1, static_cast<std::int64_t>(number));
  const auto tags = tags_column(it);
  auto add = db_->kept("INSERT INTO items VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  if (!add) return add.error();
  auto& s = **add;
  s.bind(1, row).bind(2, *no).bind(3, session).bind(4, it.memory_id).bind(5, it.kind);
  s.bind(6, it.message_id).bind(7, it.owner).bind(8, it.state).bind(9, tags);
  s.bind(10, std::int64_t{it.pinned}).bind(11, it.created_at_ms);
  s.bind(12, it.expires_at_ms);
  s.bind(13, static_cast<std::int64_t>(it.text.size())).bind(14, it.text);
  if (auto ok = s.run(); !ok) return ok;
  const auto to = [&](const std::string& table, const std::string& text) -> result<void> {
    auto into = db_->kept("INSERT INTO " + table + "(rowid, text) VALUES(?, ?)");
    if (!into) return into.error();
    return (*into)->bind(1, row).bind(2, text).run();
  };
  if (auto ok = to(words_table(*no), indexed_text(it.text)); !ok) return ok;
  if (auto ok = to(parts_table(*no), cleaned(it.text)); !ok) return ok;
  if (auto ok = count(*no, 1, it.text.size()); !ok) return ok;
  // Doublings of what a tenant has, as of when: what is counted later changes no earlier one.
  auto size = db_->kept(
      "INSERT OR IGNORE INTO sizes SELECT no, ?, items FROM tenants"
      " WHERE no=? AND items>=? AND (items & (items - 1))=0");
  if (!size) return size.error();
  return (*size)->bind(1, row).bind(2, *no).bind(3, size_min).run();
}

result<void> index_file::count(std::int64_t tenant, std::int64_t more, std::size_t bytes) {
  auto add = db_->kept("UPDATE tenants SET items=items+?1, bytes=bytes+?1*?2 WHERE no=?3");
  if (!add) return add.error();
  return (*add)->bind(1, more).bind(2, static_cast<std::int64_t>(bytes)).bind(3, tenant).run();
}

result<void> index_file::erase_row(std::int64_t tenant, std::int64_t row) {
  auto find = db_->kept("SELECT text FROM items WHERE number=?");
  if (!find) return find.error();
  auto there = (*find)->bind(1, row).step();
  const std::string text(there && *there ? (*find)->text(0) : std::string_view());
  (*find)->reset();
  if (!there) return there.error();
  if (!*there) return {};
  const auto take_out = [&](const std::string& table, const std::string& was) -> result<void> {
    auto out =
        db_->kept("INSERT INTO " + table + "(" + table + ", rowid, text) VALUES('delete', ?, ?)");
    if (!out) return out.error();
    return (*out)->bind(1, row).bind(2, was).run();
  };
  if (auto ok = take_out(words_table(tenant), indexed_text(text)); !ok) return ok;
  if (auto ok = take_out(parts_table(tenant), cleaned(text)); !ok) return ok;
  auto gone = db_->kept("DELETE FROM items WHERE number=?");
  if (!gone) return gone.error();
  if (auto ok = (*gone)->bind(1, row).run(); !ok) return ok;
  return count(tenant, -1, text.size());
}

result<void> index_file::erase(const tenant_id& tenant, std::string_view id) {
  auto no = tenant_number(tenant, false);
  if (!no) return no.error();
  auto find = db_->kept("SELECT number FROM items WHERE tenant=? AND id=?");
  if (!find) return find.error();
  auto there = (*find)->bind(1, *no).bind(2, id).step();
  const auto row = there && *there ? (*find)->number(0) : 0;
  (*find)->reset();
  if (!there) return there.error();
  return *there ? erase_row(*no, row) : result<void>();
}

result<std::vector<std::string>> index_file::erase_session(const tenant_id& tenant,
                                                           std::string_view session) {
  std::vector<std::string> ids;
  auto no = tenant_number(tenant, false);
  if (!no) return no.error();
  std::vector<std::int64_t> rows;
  {
    auto find = db_->prepare("SELECT number, id FROM items WHERE tenant=? AND session=?");
    if (!find) return find.error();
    find->bind(1, *no).bind(2, session);
    for (;;) {
      auto there = find->step();
      if (!there) return there.error();
      if (!*there) break;
      rows.push_back(find->number(0));
      ids.emplace_back(find->text(1));
    }
  }
  for (const auto row : rows)
    if (auto ok = erase_row(*no, row); !ok) return ok.error();
  return ids;
}

}  // namespace soma::memory
