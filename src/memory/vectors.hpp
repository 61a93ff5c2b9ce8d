// Vectors of memories, for tenants with a model for them: one more ranking beside the words. A
// thread of its own follows the index of memories, in the order of its changes, asks for what has
// no vector of that model yet, and keeps it in the store. Nothing that is written waits for it.
//
//   memory.vectors    tenant id    the vector (vector_set.hpp)
//
// Written only while the item is there, and deleted by the indexer with it. Another model, or
// another dimension of it: all are asked for anew, and old ones are not looked at.
//
// Thread-safe. Lifetime: the log outlives it, and so does the embedder; `stop` comes before the
// index ends, and the index ends before this.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "memory/embedder.hpp"
#include "memory/indexer.hpp"
#include "memory/vector_set.hpp"
#include "storage/event_log.hpp"

namespace soma::memory {

inline constexpr std::string_view vector_collection = "memory.vectors";
inline constexpr std::size_t embedded_bytes_max = 4096;  // of a text, that its vector is made of

struct vector_options {
  embedder* asks = nullptr;                    // null: there are none
  std::size_t bytes_max = 256u << 20;          // of all tenants' vectors in memory
  std::size_t exact_max = 5000;                // of one tenant, looked through one by one
  std::chrono::milliseconds look_every{5000};  // for another model, where nothing else happens
  std::chrono::milliseconds back_off_first{1000}, back_off_max{60'000};
  std::chrono::milliseconds embed_for{30'000};  // that one call may take
  unsigned attempts_max = 3;  // of a text that fails by itself while another is taken
  std::function<void(const std::string&)> on_notice{};
};

struct vector_status {
  std::string state = "off";  // off: the tenant has no model for them; ready, building, failing
  std::string why;            // of failing
  std::size_t waiting = 0;    // memories without one; at most 10,000 are counted
  std::size_t set_aside = 0;  // those that get none, since the provider fails at them; as many
  double lag_s = 0;           // for how long some have been waiting
};

// Of all tenants.
struct vector_totals {
  std::size_t waiting = 0, set_aside = 0;
  double lag_s = 0;                                  // of the one that has waited for longest
  std::size_t ready = 0, building = 0, failing = 0;  // tenants
};

class vectors {
 public:
  vectors(storage::event_log& log, vector_options options);
  ~vectors();
  vectors(const vectors&) = delete;

  void start(indexer& index);
  void stop();

  void changed();  // there is more in the index
  // Items that are gone: their vectors go. Blocks. Errors: those of the store.
  result<void> gone(const tenant_id& tenant, const std::vector<std::string>& ids);

  // A question that is being made a vector.
  class question {
   public:
    // Until it can be ranked by. Errors: why not, as of any degraded answer.
    result<void> wait(std::chrono::steady_clock::time_point until);
    near_vectors nearest(std::size_t count) const { return set_->nearest(unit_, count); }

   private:
    friend class vectors;
    vectors* from_ = nullptr;
    tenant_id tenant_;
    std::unique_ptr<embedding_call> call_;
    std::string why_;  // of no call
    std::shared_ptr<vector_set> set_;
    embedding unit_;
  };
  // Null: the tenant has no model for it.
  std::unique_ptr<question> ask(const tenant_id& tenant, const user_id& user,
                                std::string_view query, int ms);
  // Why not all memories are ranked by their vectors; empty: all are.
  std::string degraded(const tenant_id& tenant) const;
  vector_status status(const tenant_id& tenant) const;
  // The same without asking the index: as of the last look, a second ago or so. Does not block.
  vector_status last_status(const tenant_id& tenant) const;
  vector_totals totals() const;

 private:
  using clock = std::chrono::steady_clock;
  // What a batch is made for.
  struct work {
    std::string model;
    std::uint64_t model_number = 0;  // its fingerprint
    std::size_t dimension = 0;       // 0: not known yet
    std::uint64_t generation = 0;    // of the index that `position` is of
    std::int64_t position = 0;       // of the index: all up to it have theirs
    std::int64_t failed_at = -1;     // position at which it failed last; -1: since then it did not
  };
  struct tenant_state : work {
    std::map<std::string, unsigned> attempts{};  // of texts that failed by themselves, by id
    std::set<std::string> aside{};               // ids; at most as many as are counted
    std::size_t waiting = 0;                     // as of `counted_at`
    clock::time_point counted_at{}, behind_since{};
    bool complete = false;  // once at the index's end
    std::string why;        // the provider's refusal
    clock::time_point retry_at{};
    std::chrono::milliseconds back_off{0};
    // In memory: loaded up to a key, or all.
    std::shared_ptr<vector_set> set;
    std::string loaded_to;
    bool loaded = false, too_large = false;
    bool loading = false;  // somebody reads a page of it
    clock::time_point used_at{};
  };
  enum class step { idle, more, failed };

  void run();
  std::vector<tenant_id> tenants();
  step look_after(const tenant_id& tenant);
  step embed_some(const tenant_id& tenant, const std::vector<index_text>& rows);
  result<std::vector<embedding>> embedded(const tenant_id& tenant,
                                          const std::vector<std::string>& texts);
  // None: all rows have theirs, or are set aside.
  std::optional<step> together(const tenant_id& tenant, const work& of,
                               const std::vector<const index_text*>& rows);
  std::optional<step> each_alone(const tenant_id& tenant, const work& of,
                                 const std::vector<const index_text*>& rows);
  bool is_given_up(const tenant_id& tenant, const std::string& id);
  bool stopping() const;
  void count_waiting(const tenant_id& tenant);
  void note_waiting(const tenant_id& tenant, std::size_t count);
  void take_in(const tenant_id& tenant, const std::string& id, const stored_vector& what);
  void note_aside(const tenant_id& tenant, const std::string& id);
  result<bool> keep_made(const tenant_id& tenant, const work& of, const index_text& row,
                         embedding values);
  result<bool> keep(const tenant_id& tenant, const index_text& row, stored_vector what);
  step failed(const tenant_id& tenant, const error& why, std::int64_t at = -1);
  bool found_dimension(const tenant_id& tenant, std::size_t dimension);
  result<std::shared_ptr<vector_set>> loaded(const tenant_id& tenant, clock::time_point until);
  struct page_read {
    std::size_t count = 0;
    std::string last;  // key
  };
  result<page_read> read_some(const tenant_id& tenant, const std::string& behind,
                              std::uint64_t model, vector_set& into);
  bool is_gone(const tenant_id& tenant, const std::string& id) const;
  // Under mutex_:
  std::optional<result<std::shared_ptr<vector_set>>> at_hand(tenant_state& of) const;
  bool make_room(const std::string& tenant, std::size_t bytes);
  void drop(tenant_state& of, bool too_large);
  void set_model(tenant_state& of, std::string model);
  static std::string state_of(const tenant_state& of);

  storage::event_log& log_;
  const vector_options options_;
  indexer* index_ = nullptr;
  std::atomic<bool> any_{true};  // there may be some in the store

  mutable std::mutex mutex_;
  std::condition_variable wake_, read_;
  bool stop_ = false, changed_ = false;
  std::map<std::string, tenant_state> tenants_;

  std::thread thread_;  // the last
};

}  // namespace soma::memory
