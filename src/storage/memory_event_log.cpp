// The in-memory twin: obviously right rather than fast. One lock; commits are all or nothing an op.
#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "core/may_block.hpp"
#include "storage/head_rules.hpp"

namespace soma::storage {
namespace {

class memory_event_log final : public event_log {
 public:
  memory_event_log(std::uint32_t epoch, std::size_t event_bytes_max)
      : epoch_(epoch), event_bytes_max_(event_bytes_max) {}

  std::uint32_t epoch() const override { return epoch_; }

  std::vector<result<std::uint64_t>> commit(std::span<const append_op> ops) override {
    std::lock_guard lock(mutex_);
    std::vector<result<std::uint64_t>> results;
    ++counters_.batches;
    const auto before = last_outbox_;
    for (const auto& op : ops) results.push_back(append(op));
    if (last_outbox_ != before && outbox_told_) outbox_told_(last_outbox_);
    return results;
  }

  std::uint64_t stored_bytes(const tenant_id& tenant) const override {
    std::lock_guard lock(mutex_);
    std::uint64_t bytes = 0;
    for (const auto& [key, session] : sessions_)
      if (key.tenant == tenant)
        for (const auto& [seq, e] : session.events) bytes += e.json.size();
    return bytes;
  }

  result<session_head> head(const session_key& key) const override {
    std::lock_guard lock(mutex_);
    const auto at = sessions_.find(key);
    if (at == sessions_.end()) return not_found();
    return at->second.head;
  }

  result<event_page> read(const session_key& key, const read_options& options) const override {
    std::lock_guard lock(mutex_);
    const auto at = sessions_.find(key);
    if (at == sessions_.end()) return not_found();
    const auto& [head, events, snapshot] = at->second;
    event_page page;
    std::size_t bytes = 0;
    page.scanned_seq = options.after_seq;
    auto look = [&](const stored_event& e) {  // false: the page is full
      if (page.events.size() >= options.events_max || bytes >= options.bytes_max) return false;
      page.scanned_seq = e.id.seq;
      if (shows(options, head, e.type, e.id.seq)) {
        page.events.push_back({e.id, e.type, readable(e.json)});
        bytes += e.json.size();
      }
      return true;
    };
    auto first = events.upper_bound(options.after_seq),
         last = events.lower_bound(options.before_seq);
    if (options.after_seq >= options.before_seq) first = last;
    page.end = true;
    if (options.backwards) {
      while (last != first && page.end)
        if ((page.end = look(std::prev(last)->second))) --last;
    } else {
      while (first != last && page.end)
        if ((page.end = look(first->second))) ++first;
    }
    return page;
  }

  result<std::optional<std::string>> snapshot(const session_key& key) const override {
    std::lock_guard lock(mutex_);
    const auto at = sessions_.find(key);
    return at == sessions_.end() ? std::optional<std::string>() : at->second.snapshot;
  }

  result<session_list_page> list(const tenant_id& tenant,
                                 const session_list_options& options) const override {
    const auto place = parse_list_cursor(options.cursor);
    if (!place && !options.cursor.empty()) return bad_cursor();
    std::lock_guard lock(mutex_);
    std::vector<session_row> rows;
    for (const auto& [key, s] : sessions_)
      if (key.tenant == tenant) rows.push_back({key.session, s.head});
    std::sort(rows.begin(), rows.end(), [](const session_row& a, const session_row& b) {
      return order(a.head.info.updated_at_ms, a.session) <
             order(b.head.info.updated_at_ms, b.session);
    });
    if (options.limit == 0) return session_list_page();
    list_page_maker page(options);
    for (auto& row : rows) {
      if (place && order(row.head.info.updated_at_ms, row.session) <=
                       order(place->updated_at_ms, place->session))
        continue;
      if (!page.take(std::move(row))) break;
    }
    return std::move(page).page();
  }

  result<std::vector<session_key>> busy_sessions() const override {
    std::lock_guard lock(mutex_);
    std::vector<session_key> busy;
    for (const auto& [key, s] : sessions_)
      if (s.head.info.busy) busy.push_back(key);
    return busy;
  }

  result<std::vector<tenant_id>> tenants() const override {
    std::lock_guard lock(mutex_);
    std::set<tenant_id> found;
    for (const auto& [key, s] : sessions_) found.insert(key.tenant);
    return std::vector<tenant_id>(found.begin(), found.end());
  }

  result<std::optional<idempotency_record>> find_idempotency(std::string_view key) const override {
    std::lock_guard lock(mutex_);
    const auto at = idempotency_.find(std::string(key));
    if (at == idempotency_.end()) return std::optional<idempotency_record>();
    return std::optional(at->second);
  }

  result<std::size_t> expire_idempotency(std::int64_t before_ms, std::size_t rows_max) override {
    std::lock_guard lock(mutex_);
    std::size_t rows = 0;
    for (auto at = ages_.begin(); at != ages_.end() && at->first < before_ms && rows < rows_max;
         at = ages_.erase(at), ++rows)
      // One that was written anew has a younger row as well.
      if (const auto record = idempotency_.find(at->second);
          record != idempotency_.end() && record->second.created_at_ms == at->first)
        idempotency_.erase(record);
    return rows;
  }

  result<void> put_idempotency(const idempotency_record& record,
                               std::span<const document_row> made) override {
    std::lock_guard lock(mutex_);
    if (auto taken = taken_by_kept({&record, 1})) return *taken;
    keep(record);
    for (const auto& row : made) documents_[{row.collection, row.key}] = row.value;
    return {};
  }

  result<void> stage(const session_key& key, std::span<const encoded_event> events) override {
    std::lock_guard lock(mutex_);
    if (sessions_.count(key)) return error(codes::session_busy, "the session exists already");
    for (const auto& e : events)
      if (e.json.size() > event_bytes_max_)
        return error(codes::event_too_large, "the event is larger than the log takes");
    for (const auto& e : events) staged_[key][e.seq] = {{epoch_, e.seq}, e.type, e.json};
    return {};
  }

  result<void> discard_staged(const session_key& key) override {
    std::lock_guard lock(mutex_);
    staged_.erase(key);
    return {};
  }

  result<std::optional<std::string>> get_document(std::string_view collection,
                                                  std::string_view key) const override {
    std::lock_guard lock(mutex_);
    const auto at = documents_.find({std::string(collection), std::string(key)});
    if (at == documents_.end()) return std::optional<std::string>();
    return std::optional(at->second);
  }

  result<void> put_document(std::string_view collection, std::string_view key,
                            std::string_view value) override {
    std::lock_guard lock(mutex_);
    documents_[{std::string(collection), std::string(key)}] = value;
    return {};
  }

  result<void> put_documents(
      std::string_view collection,
      std::span<const std::pair<std::string, std::string>> documents) override {
    std::lock_guard lock(mutex_);
    for (const auto& [key, value] : documents) documents_[{std::string(collection), key}] = value;
    return {};
  }

  result<void> delete_document(std::string_view collection, std::string_view key) override {
    std::lock_guard lock(mutex_);
    documents_.erase({std::string(collection), std::string(key)});
    return {};
  }

  result<void> change_documents(std::string_view collection,
                                std::span<const document_change> changes) override {
    std::lock_guard lock(mutex_);
    for (const auto& change : changes) {
      if (change.value)
        documents_[{std::string(collection), change.key}] = *change.value;
      else
        documents_.erase({std::string(collection), change.key});
    }
    return {};
  }

  result<std::vector<std::pair<std::string, std::string>>> list_documents(
      std::string_view collection, std::string_view prefix, std::size_t limit,
      std::string_view after) const override {
    std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, std::string>> found;
    const auto first = std::pair(std::string(collection), std::string(std::max(prefix, after)));
    for (auto at = first.second == after && !after.empty() ? documents_.upper_bound(first)
                                                           : documents_.lower_bound(first);
         at != documents_.end() && at->first.first == collection &&
         at->first.second.starts_with(prefix) && found.size() < limit;
         ++at)
      found.emplace_back(at->first.second, at->second);
    return found;
  }

  result<outbox_page> read_outbox(std::string_view sink, std::uint64_t after,
                                  std::size_t rows_max) const override {
    std::lock_guard lock(mutex_);
    outbox_page page;
    page.scanned = after;
    std::size_t looked_at = 0;
    for (auto at = outbox_.upper_bound(after); at != outbox_.end(); ++at) {
      if (page.rows.size() == rows_max || looked_at++ == 8 * rows_max) return page;
      page.scanned = at->first;
      if (at->second.sink == sink) page.rows.push_back({at->first, at->second.payload});
    }
    page.end = true;
    return page;
  }

  result<void> delete_outbox(std::string_view sink,
                             const std::vector<std::uint64_t>& numbers) override {
    std::lock_guard lock(mutex_);
    for (const auto number : numbers)
      if (const auto at = outbox_.find(number); at != outbox_.end() && at->second.sink == sink)
        outbox_.erase(at);
    return {};
  }

  result<bool> write_rows(const row_batch& rows) override {
    std::lock_guard lock(mutex_);
    for (const auto& [collection, key, value] : rows.expected) {
      const auto there = documents_.find({collection, key});
      if (there == documents_.end() || (value && there->second != *value)) return false;
    }
    if (auto taken = taken_by_kept(rows.idempotency)) return *taken;
    for (const auto& record : rows.idempotency) keep(record);
    for (const auto& gone : rows.deleted) documents_.erase(gone);
    for (const auto& d : rows.documents) documents_[{d.collection, d.key}] = d.value;
    keep_outbox(rows.outbox);
    if (!rows.outbox.empty() && outbox_told_) outbox_told_(last_outbox_);
    return true;
  }

  void on_outbox(std::function<void(std::uint64_t)> told) override {
    std::lock_guard lock(mutex_);
    outbox_told_ = std::move(told);
  }

  result<void> checkpoint(const std::string&) const override {
    return error(codes::storage_unavailable, "a log in memory has no files to copy");
  }

  counters stats() const override {
    std::lock_guard lock(mutex_);
    return counters_;
  }

 private:
  struct session {
    session_head head;
    std::map<std::uint64_t, stored_event> events;
    std::optional<std::string> snapshot;
  };

  static std::pair<std::int64_t, session_id> order(std::int64_t updated_at_ms,
                                                   const session_id& session) {
    return {-updated_at_ms, session};
  }
  static error not_found() { return {codes::session_not_found, "there is no such session"}; }

  void keep(const idempotency_record& record) {
    idempotency_[record.key] = record;
    ages_.insert({record.created_at_ms, record.key});
  }

  void keep_outbox(const std::vector<outbox_row>& rows) {
    for (const auto& row : rows) outbox_[++last_outbox_] = row;
    counters_.outbox_rows += rows.size();
  }

  std::optional<error> taken_by_kept(std::span<const idempotency_record> records) const {
    for (const auto& record : records)
      if (const auto at = idempotency_.find(record.key); at != idempotency_.end())
        if (auto taken = taken_by(at->second, record)) return taken;
    return std::nullopt;
  }

  result<std::uint64_t> append(const append_op& op) {
    const auto at = sessions_.find(op.key);
    const session_head* before = at == sessions_.end() ? nullptr : &at->second.head;
    const auto staged = staged_.find(op.key);
    const auto staged_seq =
        staged == staged_.end() ? std::nullopt : std::optional(staged->second.rbegin()->first);
    if (auto taken = taken_by_kept(op.idempotency)) return *taken;
    auto head = next_head(before, staged_seq, op, epoch_, event_bytes_max_);
    if (!head) return head.error();
    for (const auto& record : op.idempotency) keep(record);
    for (const auto& d : op.gone)
      std::erase_if(documents_, [&](const auto& one) {
        return one.first.first == d.collection && one.first.second.starts_with(d.prefix);
      });
    for (const auto& d : op.documents) documents_[{d.collection, d.key}] = d.value;
    keep_outbox(op.outbox);
    counters_.events += op.events.size();
    if (op.remove) {
      sessions_.erase(op.key);
      staged_.erase(op.key);
      return head->seq;
    }
    auto& s = sessions_[op.key];
    if (op.publish_staged) s.events = std::move(staged_.extract(staged).mapped());
    for (const auto& e : op.events) s.events[e.seq] = {{epoch_, e.seq}, e.type, e.json};
    if (op.first_seq) s.events.erase(s.events.begin(), s.events.lower_bound(*op.first_seq));
    if (op.first_seq || op.snapshot) s.snapshot = op.snapshot;
    s.head = std::move(*head);
    return s.head.seq;
  }

  const std::uint32_t epoch_;
  const std::size_t event_bytes_max_;
  // As the store does: a thread that may not wait for the disk finds that out in tests of this,
  // too.
  mutable disk_mutex mutex_;
  std::map<session_key, session> sessions_;
  std::map<session_key, std::map<std::uint64_t, stored_event>> staged_;
  std::map<std::string, idempotency_record> idempotency_;
  std::set<std::pair<std::int64_t, std::string>> ages_;  // of records, also those written anew
  std::map<std::pair<std::string, std::string>, std::string> documents_;
  std::map<std::uint64_t, outbox_row> outbox_;
  std::uint64_t last_outbox_ = 0;
  std::function<void(std::uint64_t)> outbox_told_;
  counters counters_;
};

}  // namespace

std::unique_ptr<event_log> make_memory_event_log(std::uint32_t epoch, std::size_t event_bytes_max) {
  return std::make_unique<memory_event_log>(epoch, event_bytes_max);
}

}  // namespace soma::storage
