// Whose each session is and who sees it, in memory: asking costs no read of the disk but the first.
// What changes is told by the writer with the commit that changes it.
//
// Thread-safe. Lifetime: log and lane outlive `session_facts`, and the table does.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "app/lanes.hpp"
#include "app/log_reader.hpp"
#include "app/visibility.hpp"
#include "core/error.hpp"
#include "core/may_block.hpp"
#include "memory/viewer.hpp"

namespace soma::app {

class fact_table {
 public:
  static constexpr std::size_t rows_max = 65'536;  // past it all are read anew

  // None: it has to be read.
  std::optional<known_fact> known(const session_key& key) const;
  // The same, read where it is not known; blocks on the disk. Errors: those of the store.
  result<known_fact> read(const log_reader& log, const session_key& key);

  // A session's entry was committed, or it is gone (null). Does not block. Gives what was known
  // before; null: nothing.
  known_fact changed(const session_key& key, const session_info* info);

  // Called with a session that was known and is seen by others from now on, on the thread that told
  // of it: must not block, and must not ask the table. Empty: nobody is; from then on `told` of
  // before is not called any more.
  using changed_handler = std::function<void(const session_key&, const session_fact& now)>;
  void on_changed(changed_handler told);

 private:
  struct reading {
    std::size_t readers = 0;
    std::optional<known_fact> newer{};  // what was told meanwhile
  };
  known_fact note(const session_key& key, const session_info* info);

  mutable quick_mutex mutex_;
  std::unordered_map<session_key, known_fact> rows_;  // of sessions that are there
  std::unordered_map<session_key, reading> reading_;
  quick_mutex told_mutex_;
  changed_handler told_;
};

class session_facts {
 public:
  session_facts(fact_table& table, log_reader log, lane& quick)
      : table_(table), log_(log), lane_(quick) {}

  struct looked {
    known_fact fact;
    bool read = false;  // the store was asked for it
  };
  // On its caller's io thread. Errors: those of the store.
  boost::asio::awaitable<result<looked>> of(session_key key);
  // Takes as long as if it were not known.
  boost::asio::awaitable<void> pass_time(session_key key);

 private:
  fact_table& table_;
  const log_reader log_;
  lane& lane_;
};

// The rule for what asks on a thread that may block, and knows a user's id alone, such as tools:
// nobody is an admin there. False also where the store cannot be asked.
class session_sight final : public memory::session_sight {
 public:
  session_sight(fact_table& table, log_reader log) : table_(table), log_(log) {}

  std::optional<bool> sees(const tenant_id& tenant, std::string_view user,
                           std::string_view session) const override;

 private:
  fact_table& table_;
  const log_reader log_;
};

}  // namespace soma::app
