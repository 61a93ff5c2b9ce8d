// What can be done with a tenant's memories: the one set of functions below the API, the tools and
// recall. Items are read from the store, so one that was deleted, or is over, is in no answer,
// however far the index is.
//
// Thread-safe; blocks on the disk. Lifetime: what it needs outlives it. Errors: memory.not_found,
// quota.exceeded, those of the store; of the index storage.unavailable where it cannot be read.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/error.hpp"
#include "core/may_block.hpp"
#include "core/uuid.hpp"
#include "memory/indexer.hpp"
#include "memory/item.hpp"
#include "memory/ranking.hpp"
#include "memory/recall.hpp"
#include "memory/remote_recall.hpp"
#include "memory/vectors.hpp"
#include "memory/viewer.hpp"
#include "storage/event_log.hpp"

namespace soma::memory {

struct memory_limits {
  std::size_t items_max = 1'000'000;  // of a tenant: past it no note is taken, messages are
  std::uint64_t bytes_max = 0;        // of a tenant's texts, likewise; 0: no bound
  int search_ms = 2000;               // of a search or a list
  int recall_ms = 300;                // of a recall
  int catch_up_ms = 200;              // that a search waits for the index to be up to date
  bool replicated = false;            // what changes goes to SomaBrain, too
};

struct new_note {
  std::string text, kind = "note";
  std::vector<std::string> tags{};
  double importance = 0.5;
  std::string session_id{}, tool_call_id{};
  std::int64_t expires_at_ms = 0;  // 0: never
};
struct saved_note {
  item what;
  bool again = false;  // the owner has had it noted already, and there is nothing new
};

struct item_change {
  std::optional<std::string> text{};
  std::optional<std::vector<std::string>> tags{};
  std::optional<double> importance{};
  std::optional<bool> pinned{};
  std::optional<std::int64_t> expires_at_ms{};  // 0: never
};

struct item_filter {
  std::vector<std::string> kinds{};  // any of them; none: all
  std::string tag{}, session_id{}, state{};
  std::optional<bool> pinned{};
};

struct item_page {
  std::vector<item> items;
  std::string next_cursor;  // empty: no more; a page may be short, or empty, and not the last
};

// Turns that were told of a memory, newest first.
struct use_page {
  std::vector<use_row> uses;
  std::string next_cursor;  // empty: no more
};

struct found_item {
  item what;
  double score = 0;
  bool from_afar = false;  // SomaBrain alone named it
};
struct found_items {
  std::vector<found_item> items;
  bool degraded = false;
  bool by_words_alone = false;  // degraded in nothing else: vectors were not looked at
  std::string why;
  std::int64_t as_of = 0;
  bool approximate = false;  // by vectors a nearer one may be missing
};

struct search_question {
  std::string query;
  item_filter filter{};
  std::size_t limit = 20;
  std::int64_t at = 0;  // as of which change; 0: now
  std::vector<std::string> held_message_ids{};
  bool up_to_date = true;  // waits for what was just written
  bool once_each = false;  // of items that say the same only the best
  int ms = 0;              // 0: memory_limits::search_ms
  bool from_afar = false;  // SomaBrain is asked, too, where there is one; not as of earlier
};

// What another site says of one of its memories.
struct foreign_change {
  std::string id, session;  // the session empty where it is of none
  std::optional<item> put;  // none: it went
};
// What is known of a memory that came from another site.
struct replica_mark {
  bool gone = false;       // there or here; it does not come back
  std::uint64_t pass = 0;  // over the log of that site, that named it last
  std::string session;
};
std::optional<replica_mark> read_mark(std::string_view value);

struct memory_status {
  std::uint64_t stored = 0, replicated = 0, failed = 0;  // of the tenant
  std::uint64_t bytes = 0;                               // of their texts
  std::uint64_t items_max = 0, bytes_max = 0;            // bytes_max 0: no bound
  std::size_t waiting = 0;                               // changes not yet in the index
  std::int64_t oldest_waiting_ms = 0;
  std::string degraded;
  vector_status vectors{};
};

class memories {
 public:
  // `near`: ranks by vectors, too; null: by words alone.
  // `sessions`: who sees which; null: what is of a session is its owner's.
  memories(storage::event_log& log, indexer& index, memory_limits limits,
           std::function<std::int64_t()> now_ms, vectors* near = nullptr,
           const session_sight* sessions = nullptr);

  // `answer`: what is kept of it for the request's key, in the same atom; none where there is no
  // key. Errors: idempotency.exists, too.
  using answer_of_note = std::function<storage::idempotency_record(const saved_note&)>;
  result<saved_note> save(const viewer& who, const new_note& note,
                          const answer_of_note& answer = {});
  result<item> find(const viewer& who, std::string_view id) const;
  // `expected`: the etag of what is changed; empty: whatever it is. Errors: memory.changed;
  // policy.denied where it is another's.
  result<item> change(const viewer& who, std::string_view id, const item_change& what,
                      std::string_view expected);
  result<void> forget(const viewer& who, std::string_view id, std::string_view expected);

  // Errors: request.invalid_parameter about the cursor.
  result<item_page> list(const viewer& who, const item_filter& filter, std::string_view cursor,
                         std::size_t limit) const;
  // Of sessions that he may see and that are there; as many as the index knows of one memory.
  // Errors: as list; storage.unavailable while not all of them are known.
  result<use_page> uses(const viewer& who, std::string_view id, std::string_view cursor,
                        std::size_t limit) const;
  result<found_items> search(const viewer& who, const search_question& question) const;
  // Within so many milliseconds; 0: those of the limits.
  result<recall_answer> recall(const recall_question& question, int ms = 0) const;
  int recall_ms() const { return limits_.recall_ms; }
  result<memory_status> status(const tenant_id& tenant) const;
  // Whoever is asked, too, from now on; null: nobody. Any thread.
  void ask_also(std::shared_ptr<remote_recall> whom);
  // How far vectors are, as of the last look; does not block.
  vector_status vectors_now(const tenant_id& tenant) const;
  vector_totals all_vectors_now() const;
  // Waits for the index as a list does.
  void catch_up() const;
  // Why not all can be found; empty: all can. Does not block.
  std::string degraded() const { return index_.degraded(); }

  // Whether what SomaBrain was told of an item is what it is; in one synced write. Items that are
  // gone, or were changed since (`version_ms`; 0: whatever it is), are left alone.
  struct new_state {
    std::string session, id;
    std::int64_t version_ms = 0;
  };
  result<void> set_states(const tenant_id& tenant, const std::vector<new_state>& which,
                          std::string_view state);
  // Deletes what is over, of all tenants, as `forget` does: so many at most. Gives how many it saw
  // that were; fewer than `items_max`: there are no more. Errors: those of index and store.
  result<std::size_t> sweep_expired(std::size_t items_max);
  // What another site says, with the documents beside it in one synced atom; gives how many changes
  // there were. Its update time decides, whoever wrote it; what went does not come back. No quota
  // holds for it, as none does for what is said. Errors: request.invalid, and nothing is written.
  result<std::uint64_t> apply(const tenant_id& tenant, std::span<const foreign_change> changes,
                              std::uint64_t pass, std::span<const storage::document_row> beside);
  // Whether the tenant may keep so many more, of so many bytes. Errors: quota.exceeded.
  // Whether upkeep of what is remembered is this process' to do.
  bool keeps_documents() const { return log_.keeps_documents(); }
  result<void> has_room(const tenant_id& tenant, std::size_t items, std::uint64_t bytes) const;

 private:
  struct place {  // where an item is
    std::string session;
    std::string text;  // its document, as it was read
    item what;
  };
  result<place> look_up(const viewer& who, std::string_view id) const;
  result<bool> put_states(const tenant_id& tenant, std::span<const new_state> which,
                          std::string_view state);
  result<bool> add_foreign(storage::row_batch& rows, const tenant_id& tenant,
                           const foreign_change& what, std::uint64_t pass) const;
  // Items that SomaBrain names, known here and such that they pass, as one more ranking. Gives why
  // there may be more.
  std::string rank_from_afar(const viewer& who, const search_question& question, std::int64_t ms,
                             const std::function<bool(const index_row&)>& passes, ranking& into,
                             std::unordered_map<std::string, std::string>& sessions) const;
  void tell(storage::row_batch& rows, const tenant_id& tenant, const std::string& session,
            std::string_view id, memory::change::kind what) const;
  // `text`: gets its document.
  result<std::optional<item>> read(const tenant_id& tenant, std::string_view session,
                                   std::string_view id, std::string* text = nullptr) const;
  // None: another changed it meanwhile.
  result<std::optional<item>> change_once(const viewer& who, std::string_view id,
                                          const item_change& what, std::string_view expected);
  result<std::optional<item>> same_note(const viewer& who, const std::string& key,
                                        const new_note& note) const;
  result<index_reader::amounts> count(const tenant_id& tenant, index_reader::states* states = {})
      const;  // of its items in the index
  result<void> unmark(storage::row_batch& rows, const tenant_id& tenant, const place& there) const;
  result<void> add_removal(storage::row_batch& rows, const tenant_id& tenant,
                           const place& there) const;
  error index_failed(const error& why) const;
  struct found_rows {
    std::vector<ranking> rankings;
    std::unordered_map<std::string, std::string> sessions;  // of what was found, by id
  };
  result<void> add_near(const viewer& who, vectors::question& asked, index_reader& reader,
                        const row_filter& fits, std::chrono::steady_clock::time_point until,
                        found_rows& found, found_items& out) const;

  storage::event_log& log_;
  indexer& index_;
  const memory_limits limits_;
  const std::function<std::int64_t()> now_ms_;
  mutable quick_mutex afar_mutex_;
  std::shared_ptr<remote_recall> afar_;
  vectors* const near_;
  const session_sight* const sessions_;
  mutable disk_mutex changing_;  // over reading and writing what is changed
  ordered_uuids ids_;            // under `changing_`; the list shows equal times by id
};

// What tells versions of an item apart, with quotes; whether SomaBrain has it changes nothing.
std::string etag_of(const item& it);

// Notes of the version before this one, `tenant id` in the collection of items, become items.
// Nothing is done where that was done. Blocks. Gives how many.
result<std::size_t> take_over_notes(storage::event_log& log, std::int64_t now_ms);

}  // namespace soma::memory
