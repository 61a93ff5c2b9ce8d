#include "memory/sqlite.hpp"

#include <sqlite3.h>

#include "core/codes.hpp"
#include "core/may_block.hpp"

namespace soma::memory {
namespace {

constexpr int busy_ms = 2000;            // a lock that another connection holds
constexpr int steps_between_looks = 50;  // at the clock
constexpr std::size_t kept_statements_max = 256;

error error_of(sqlite3* db, int code) {
  const int base = code & 0xff;
  std::string_view name = codes::storage_unavailable;
  if (base == SQLITE_CORRUPT || base == SQLITE_NOTADB || base == SQLITE_FORMAT)
    name = codes::storage_corrupt;
  if (base == SQLITE_FULL) name = codes::storage_full;
  return {name, std::string("the index of memories: ") +
                    (db ? sqlite3_errmsg(db) : sqlite3_errstr(code))};
}

}  // namespace

sqlite_statement::~sqlite_statement() {
  sqlite3_finalize(s_);
}

sqlite_statement& sqlite_statement::bind(int at, std::string_view text) {
  sqlite3_bind_text64(s_, at, text.data() ? text.data() : "", text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
  return *this;
}

sqlite_statement& sqlite_statement::bind(int at, std::int64_t value) {
  sqlite3_bind_int64(s_, at, value);
  return *this;
}

result<bool> sqlite_statement::step() {
  const int code = sqlite3_step(s_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return error_of(sqlite3_db_handle(s_), code);
}

result<void> sqlite_statement::run() {
  for (;;) {
    const auto more = step();
    if (more && *more) continue;
    reset();
    return more ? result<void>() : result<void>(more.error());
  }
}

void sqlite_statement::reset() {
  sqlite3_reset(s_);
}

std::int64_t sqlite_statement::number(int column) const {
  return sqlite3_column_int64(s_, column);
}

std::string_view sqlite_statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(s_, column));
  return bytes ? std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(s_, column)))
               : std::string_view();
}

result<std::unique_ptr<sqlite_file>> sqlite_file::open(const std::string& path, access how) {
  expect_may_block("opening the index of memories");
  sqlite3* db = nullptr;
  const int flags =
      (how == access::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE) |
      SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  std::unique_ptr<sqlite_file> made(new sqlite_file(db));
  if (code != SQLITE_OK) return error_of(db, code);
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, busy_ms);
  sqlite3_progress_handler(
      db, steps_between_looks,
      [](void* self) {
        auto& file = *static_cast<sqlite_file*>(self);
        file.late_ = file.late_ || std::chrono::steady_clock::now() > file.until_;
        return file.late_ ? 1 : 0;
      },
      made.get());
  return made;
}

sqlite_file::~sqlite_file() {
  kept_.clear();
  sqlite3_close_v2(db_);
}

result<void> sqlite_file::run(const std::string& sql) {
  const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? result<void>() : error_of(db_, code);
}

result<sqlite_statement> sqlite_file::prepare(std::string_view sql) {
  sqlite3_stmt* made = nullptr;
  const int code =
      sqlite3_prepare_v2(db_, sql.data(), static_cast<int>(sql.size()), &made, nullptr);
  if (code != SQLITE_OK) return error_of(db_, code);
  return sqlite_statement(made);
}

result<sqlite_statement*> sqlite_file::kept(const std::string& sql) {
  if (const auto at = kept_.find(sql); at != kept_.end()) {
    at->second.reset();
    return &at->second;
  }
  if (kept_.size() >= kept_statements_max) kept_.clear();
  auto made = prepare(sql);
  if (!made) return made.error();
  return &kept_.emplace(sql, std::move(*made)).first->second;
}

std::int64_t sqlite_file::last_rowid() const {
  return sqlite3_last_insert_rowid(db_);
}

void sqlite_file::set_deadline(std::chrono::steady_clock::time_point until) {
  until_ = until;
  late_ = false;
}

result<bool> sqlite_file::checkpoint() {
  int log = 0, done = 0;
  const int code = sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &log, &done);
  if (code != SQLITE_OK && code != SQLITE_BUSY) return error_of(db_, code);
  return code == SQLITE_OK && log == done;
}

}  // namespace soma::memory
