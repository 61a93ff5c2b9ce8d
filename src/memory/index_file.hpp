// The index of memories as one SQLite file: what can be made anew from the documents at any time.
// A tenant has tables of its own for words and for trigrams, so neither its size nor its words are
// felt by another.
//
// A row's number (its rowid) is that of the change that wrote it: reading only rows up to a number
// is reading the index as of then. One thread writes. Blocks. Errors: as sqlite.hpp says.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "memory/item.hpp"
#include "memory/sqlite.hpp"

namespace soma::memory {

inline constexpr int index_version = 3;  // of the tables; another is built anew

// Of a tenant's memories, as rankings know it: the last power of two that they reached, this at
// least.
inline constexpr std::int64_t size_min = 256;

// Turns that were told of one memory, and are known of it: the newest.
inline constexpr std::int64_t uses_max = 500;

// A turn that was told of memories.
struct use_row {
  std::string session;
  std::uint64_t seq = 0;  // of its memory.recall
  std::int64_t at_ms = 0;
  std::string event_id, turn_id;
  bool operator==(const use_row&) const = default;
};

class index_file {
 public:
  // Opens what is there or makes an empty file. Errors: storage.corrupt also for a file of another
  // version or one that is shorter than it says: delete() it and open again.
  static result<std::unique_ptr<index_file>> open(const std::string& path);
  static void remove(const std::string& path);

  // All between them becomes visible at once, or none of it does.
  result<void> begin();
  result<void> commit();
  void roll_back();

  // What was written last, and how far the outbox and the documents were read.
  std::int64_t last() const { return last_; }
  std::uint64_t position() const { return position_; }
  const std::optional<std::string>& building() const { return building_; }  // behind which key
  // The same of uses, which are looked up once the items are there.
  const std::optional<std::string>& building_uses() const { return building_uses_; }
  result<void> set_position(std::uint64_t position);
  result<void> set_building(const std::optional<std::string>& behind);
  result<void> set_building_uses(const std::optional<std::string>& behind);

  // In place of what was there; a row that was is given back to no reader. One that differs by its
  // state alone stays.
  result<void> put(const tenant_id& tenant, std::string_view session, const item& it,
                   std::uint64_t number);
  result<void> erase(const tenant_id& tenant, std::string_view id);
  // Gives the ids of what is gone.
  result<std::vector<std::string>> erase_session(const tenant_id& tenant, std::string_view session);

  // That a turn was told of these; of what is not in the index nothing is kept. Past `uses_max` of
  // a memory its oldest go.
  result<void> put_use(const tenant_id& tenant, const use_row& use,
                       const std::vector<std::string>& ids);
  result<void> erase_use(const tenant_id& tenant, std::string_view session, std::uint64_t seq);
  result<void> erase_uses_of(const tenant_id& tenant, std::string_view id);
  // The numbers of a session's events that are known as uses.
  result<std::vector<std::uint64_t>> uses_in(const tenant_id& tenant, std::string_view session);

  // What the log holds goes into the file, synced. False: not all of it for now.
  result<bool> checkpoint() { return db_->checkpoint(); }

 private:
  explicit index_file(std::unique_ptr<sqlite_file> db) : db_(std::move(db)) {}
  result<void> prepare(const std::string& path);
  result<void> read_marks();
  result<void> set_mark(std::string_view name, std::string_view value);
  result<void> set_behind(std::string_view name, const std::optional<std::string>& behind);
  result<std::int64_t> tenant_number(const tenant_id& tenant, bool make);
  result<bool> put_state(std::int64_t tenant, std::string_view session, const item& it);
  result<void> erase_row(std::int64_t tenant, std::int64_t row);
  result<void> count(std::int64_t tenant, std::int64_t more, std::size_t bytes);

  std::unique_ptr<sqlite_file> db_;
  std::unordered_map<std::string, std::int64_t> tenants_;
  std::int64_t last_ = 0;
  std::uint64_t position_ = 0;
  std::optional<std::string> building_, building_uses_;
};

// The names of a tenant's tables.
std::string words_table(std::int64_t tenant);
std::string parts_table(std::int64_t tenant);

}  // namespace soma::memory
