// Keeps the index of memories: one thread that takes the outbox's rows in batches, and makes the
// index anew from the documents where there is none, or none that can be used. Readers go on
// meanwhile and say so.
//
// Thread-safe. Lifetime: log outlives it; readers end before it.
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

#include "core/error.hpp"
#include "memory/index_file.hpp"
#include "memory/index_reader.hpp"
#include "storage/event_log.hpp"

namespace soma::memory {

struct indexer_options {
  std::string path;  // of the file
  // Called with the tenants whose memories were changed, once that can be found; on its thread.
  std::function<void(const tenant_id&)> on_changed;
  // Ends what was made of items that are gone, before that is noted: called again where it fails.
  // Blocks; on its thread.
  std::function<result<void>(const tenant_id&, const std::vector<std::string>& ids)> on_gone{};
  // A sentence for an operator: the index is built anew, and why; it cannot be written.
  std::function<void(const std::string&)> on_notice;
  // Called once rows were committed, of whatever sink, on the thread that wrote them: must not
  // block.
  std::function<void()> on_rows;
  // Rows up to this number have been taken by who else reads them, and may be deleted; empty:
  // nobody else does. Must not block.
  std::function<std::uint64_t()> taken_by_others{};
  bool replicated = false;  // what goes with its session is told to SomaBrain
  std::size_t rows_at_once = 500;
  // Rows that wait while the index cannot be written: past it they are dropped, and the index is
  // built anew once it can be.
  std::size_t backlog_max = 100'000;
};

class indexer {
 public:
  indexer(storage::event_log& log, indexer_options options);
  ~indexer();

  // Waits until what was committed before this call can be found, or until then.
  void catch_up(std::chrono::steady_clock::time_point until);

  // Why not all that is remembered can be found; empty: all can.
  std::string degraded() const;
  // The same of where memories were used.
  std::string uses_degraded() const;

  struct lag {
    std::size_t waiting = 0;        // rows not yet taken; at most 10,000 are counted
    std::int64_t oldest_at_ms = 0;  // when the first of them was seen; 0: none
  };
  lag waiting() const;  // reads the store
  // The same as a number that is no less, without asking the store.
  std::uint64_t waiting_at_most() const;

  // A reader for as long as it is held; several at once. Errors: those of opening the file, and
  // storage.unavailable while it is taken away, which waits until all leases have ended: who holds
  // one waits for nothing of the indexer.
  class lease {
   public:
    index_reader* operator->() const { return reader_.get(); }
    index_reader& operator*() const { return *reader_; }
    lease(lease&&) = default;
    ~lease();

   private:
    friend class indexer;
    lease(indexer& from, std::unique_ptr<index_reader> reader, std::uint64_t generation)
        : from_(&from), reader_(std::move(reader)), generation_(generation) {}
    indexer* from_;
    std::unique_ptr<index_reader> reader_;
    std::uint64_t generation_;
  };
  result<lease> read();
  // Another one: the numbers of the index's rows began anew.
  std::uint64_t generation() const;
  // A reader came upon damage: the index is built anew.
  void found_damaged();

 private:
  void run();
  bool open_index();
  void build_anew(const std::string& why);
  void remove_file();  // once nobody has it open
  void reader_closed();
  void build_some();
  void build_uses();
  bool take_rows();  // true: there may be more at once
  result<void> apply(const std::vector<storage::outbox_entry>& rows);
  result<void> apply_one(const storage::outbox_entry& row);
  result<void> forget(const tenant_id& tenant, const std::string& id);
  result<void> take_use(const session_key& key, std::string_view number);
  result<void> drop_uses(const session_key& key);
  result<std::optional<item>> document_of(const change& what, std::string_view id) const;
  void settle(bool now);  // deletes rows whose effect is on the disk
  void failed(const error& why);
  void drop_backlog();
  std::vector<std::uint64_t> taken_by_all(const std::vector<std::uint64_t>& numbers) const;
  void notice(const std::string& what) const {
    if (options_.on_notice) options_.on_notice(what);
  }

  storage::event_log& log_;
  const indexer_options options_;

  // Of the thread alone.
  std::unique_ptr<index_file> index_;
  std::uint64_t scanned_ = 0;
  unsigned built_pages_ = 0;
  std::vector<std::uint64_t> taken_;  // and not yet deleted
  std::chrono::steady_clock::time_point settled_at_{};
  std::set<tenant_id> changed_;
  std::map<tenant_id, std::vector<std::string>> gone_;

  mutable std::mutex mutex_;
  std::condition_variable wake_, caught_up_, readers_closed_;
  bool stop_ = false;
  std::uint64_t told_ = 0, done_ = 0;  // numbers of rows: the last committed, the last taken
  std::size_t hurried_ = 0;            // of those who wait for it
  bool sleeps_ = false;                // and is to be woken by what is written
  std::string degraded_ = "the index of memories is being opened";
  bool damaged_ = false;
  bool scanned_all_ = false;  // since the index was opened
  bool uses_whole_ = false;
  std::uint64_t generation_ = 0;
  std::vector<std::unique_ptr<index_reader>> idle_;
  std::size_t leased_ = 0;  // readers beside the idle ones, those that are being opened among them
  bool removing_ = false;

  std::thread thread_;  // the last
};

}  // namespace soma::memory
