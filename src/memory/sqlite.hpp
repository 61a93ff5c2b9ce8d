// SQLite as values: a connection and its statements, errors as results. The index alone uses it.
//
// A connection belongs to one thread at a time. Blocks on the disk. Errors: storage.corrupt (the
// file is no database, or a damaged one), storage.full, storage.unavailable (all else).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace soma::memory {

class sqlite_statement {
 public:
  explicit sqlite_statement(sqlite3_stmt* s) : s_(s) {}
  sqlite_statement(sqlite_statement&& other) noexcept : s_(other.s_) { other.s_ = nullptr; }
  sqlite_statement& operator=(sqlite_statement&&) = delete;
  ~sqlite_statement();

  // Parameters count from 1, columns from 0. A text must outlive the steps.
  sqlite_statement& bind(int at, std::string_view text);
  sqlite_statement& bind(int at, std::int64_t value);
  result<bool> step();  // false: no further row
  result<void> run();   // all steps, then as new
  void reset();         // to be bound and run again
  std::int64_t number(int column) const;
  std::string_view text(int column) const;  // until the next step

 private:
  sqlite3_stmt* s_;
};

class sqlite_file {
 public:
  enum class access { read, write };
  static result<std::unique_ptr<sqlite_file>> open(const std::string& path, access how);
  ~sqlite_file();
  sqlite_file(const sqlite_file&) = delete;

  result<void> run(const std::string& sql);  // any number of statements without parameters
  result<sqlite_statement> prepare(std::string_view sql);
  // The same, kept for the next time and given as new; who used it resets it.
  result<sqlite_statement*> kept(const std::string& sql);
  std::int64_t last_rowid() const;
  // From then on statements end with storage.unavailable and `late()`; none: no end.
  void set_deadline(std::chrono::steady_clock::time_point until);
  bool late() const { return late_; }
  // Moves what the log holds into the file and syncs it. False: readers hinder it for now.
  result<bool> checkpoint();

 private:
  explicit sqlite_file(sqlite3* db) : db_(db) {}
  error last_error() const;

  sqlite3* db_;
  std::unordered_map<std::string, sqlite_statement> kept_;
  std::chrono::steady_clock::time_point until_ = std::chrono::steady_clock::time_point::max();
  bool late_ = false;
};

}  // namespace soma::memory
