// Reading the index of memories: what fits words, what is there. Every question sees one moment of
// the index. A reader belongs to one thread at a time; blocks; errors as sqlite.hpp says.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "memory/index_file.hpp"
#include "memory/sqlite.hpp"
#include "memory/viewer.hpp"
#include "memory/words.hpp"

namespace soma::memory {

struct index_row {
  std::int64_t number = 0;
  std::string session, id, kind, message_id, owner, state, tags;
  bool pinned = false;
  std::int64_t created_at_ms = 0, expires_at_ms = 0;
  std::size_t bytes = 0;  // of its text
};

struct index_text {
  std::int64_t number = 0;
  std::string session, id, text;
};

struct expired_row {
  tenant_id tenant;
  std::string session, id;
};

using row_filter = std::function<bool(const index_row&)>;

struct ranked_row {
  index_row row;
  double score = 0;
};

class index_reader {
 public:
  static result<std::unique_ptr<index_reader>> open(const std::string& path);

  // From here to `end` all is as of one moment; `until`: when to give up (late() then).
  result<void> begin(std::chrono::steady_clock::time_point until);
  void end();
  bool late() const { return db_->late(); }

  std::int64_t last() const { return last_; }  // number of the newest change
  bool building() const { return building_; }  // there may be more than is found

  enum class table { words, parts };
  // What has any of the terms, rows up to `at` alone and those that pass, the best first; ties by
  // id. Scores follow from the rows up to `at`: later ones change nothing.
  struct ranked {
    std::vector<ranked_row> rows;
    std::vector<std::size_t> rows_of_terms;  // how many had each, as far as was looked
  };
  result<ranked> rank(const tenant_id& tenant, table which, const std::vector<std::string>& terms,
                      std::int64_t at, const row_filter& passes, std::size_t rows_max);

  struct place {
    std::int64_t created_at_ms = INT64_MAX;
    std::string id{};
  };
  // Newest first, behind a place; those that pass. Looks at `looked_at_max` rows; gives the place
  // to go on from, none where there is no more.
  struct list_page {
    std::vector<index_row> rows;
    std::optional<place> next;
  };
  result<list_page> list(const tenant_id& tenant, const place& behind, const row_filter& passes,
                         std::size_t rows_max, std::size_t looked_at_max);

  result<std::uint64_t> count(const tenant_id& tenant);
  struct amounts {
    std::uint64_t items = 0, bytes = 0;  // of their texts
  };
  result<amounts> amounts_of(const tenant_id& tenant);
  struct states {
    std::uint64_t replicated = 0, failed = 0;
  };
  result<states> count_states(const tenant_id& tenant);

  // Those that have or had memories.
  result<std::vector<std::string>> tenants();
  // Rows with a larger number, in its order.
  result<std::vector<index_text>> texts_behind(const tenant_id& tenant, std::int64_t number,
                                               std::size_t rows_max);
  result<std::size_t> count_behind(const tenant_id& tenant, std::int64_t number,
                                   std::size_t counted_max);
  result<std::optional<index_row>> find(const tenant_id& tenant, std::string_view id);

  // Of all tenants, those that are over by then, the oldest first.
  result<std::vector<expired_row>> expired(std::int64_t now_ms, std::size_t rows_max);

  struct use_place {
    std::int64_t at_ms = INT64_MAX;
    std::string session{};
    std::uint64_t seq = 0;
  };
  // Where a memory was used, newest first, behind a place.
  result<std::vector<use_row>> uses(const tenant_id& tenant, std::string_view id,
                                    const use_place& behind, std::size_t rows_max);

 private:
  explicit index_reader(std::unique_ptr<sqlite_file> db) : db_(std::move(db)) {}
  result<std::int64_t> tenant_number(const tenant_id& tenant);
  result<std::int64_t> size_as_of(std::int64_t tenant, std::int64_t at);

  // Terms of which a table had more than so many rows at some moment: it has them later as well,
  // unless many are deleted, and beside rarer terms it says nothing. Most questions have such:
  // looking for their rows took nearly all of a recall.
  struct common_term {
    std::int64_t at = 0;
    std::size_t rows = 0;
  };
  bool is_known_common(const std::string& term, std::int64_t at, std::size_t rows) const;
  void note_common(std::string term, std::int64_t at, std::size_t rows);

  static constexpr std::size_t common_terms_max = 4096;

  std::unique_ptr<sqlite_file> db_;
  std::unordered_map<std::string, common_term> common_;  // by "TABLE TERM"
  std::int64_t last_ = 0;
  bool building_ = false;
};

}  // namespace soma::memory
