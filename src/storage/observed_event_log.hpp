// An event log that tells an observer of every call that failed for the store's sake (full,
// damaged, unavailable), whoever made it, and of every write that succeeded. All else is the inner
// log's.
//
// Threads: as the port says; the observer is called on the calling thread and must not block nor
// call the log. Lifetime: inner and observer outlive it.
#pragma once

#include "storage/event_log.hpp"

namespace soma::storage {

class store_observer {
 public:
  virtual ~store_observer() = default;
  // `why.code` begins with "storage."; `session`: whose rows were asked for, where it was one's.
  virtual void on_store_failed(const error& why, const session_key* session) = 0;
  virtual void on_store_wrote() = 0;
  virtual void on_session_cleared(const session_key&) {}  // deleted or reset
};

class observed_event_log final : public event_log {
 public:
  observed_event_log(event_log& inner, store_observer& observer)
      : inner_(inner), observer_(observer) {}

  std::uint32_t epoch() const override { return inner_.epoch(); }
  std::uint32_t epoch_of(const session_key& key) const override { return inner_.epoch_of(key); }
  std::vector<result<std::uint64_t>> commit(std::span<const append_op> ops) override {
    auto results = inner_.commit(ops);
    bool wrote = false;
    for (std::size_t n = 0; n < results.size(); ++n) {
      if (!results[n]) {
        look(results[n].error(), &ops[n].key);
        continue;
      }
      wrote = true;
      if (ops[n].remove || ops[n].first_seq) observer_.on_session_cleared(ops[n].key);
    }
    if (wrote) observer_.on_store_wrote();
    return results;
  }
  bool answers_later() const override { return inner_.answers_later(); }
  // What became true is told by on_applied, others' appends among it.
  void submit(std::vector<append_op> ops, committed done) override {
    if (!inner_.answers_later()) return done(commit(ops));
    std::vector<session_key> keys;
    keys.reserve(ops.size());
    for (const auto& op : ops) keys.push_back(op.key);
    inner_.submit(std::move(ops), [this, keys = std::move(keys), done = std::move(done)](
                                      std::vector<result<std::uint64_t>> results) {
      for (std::size_t n = 0; n < results.size(); ++n)
        if (!results[n]) look(results[n].error(), &keys[n]);
      done(std::move(results));
    });
  }
  void on_applied(applied told) override {
    if (!told) return inner_.on_applied({});
    inner_.on_applied([this, told = std::move(told)](const append_op& op, event_id last) {
      if (op.remove || op.first_seq) observer_.on_session_cleared(op.key);
      observer_.on_store_wrote();
      told(op, last);
    });
  }
  result<session_head> head(const session_key& key) const override {
    return read_by(inner_.head(key), &key);
  }
  result<event_page> read(const session_key& key, const read_options& options) const override {
    return read_by(inner_.read(key, options), &key);
  }
  // A damaged one is no failure of the store's for anybody.
  result<std::optional<std::string>> snapshot(const session_key& key) const override {
    return inner_.snapshot(key);
  }
  result<session_list_page> list(const tenant_id& tenant,
                                 const session_list_options& options) const override {
    return read_by(inner_.list(tenant, options));
  }
  result<std::vector<session_key>> busy_sessions() const override {
    return read_by(inner_.busy_sessions());
  }
  std::uint64_t stored_bytes(const tenant_id& tenant) const override {
    return inner_.stored_bytes(tenant);
  }
  result<std::vector<tenant_id>> tenants() const override { return read_by(inner_.tenants()); }
  result<std::optional<idempotency_record>> find_idempotency(std::string_view key) const override {
    return read_by(inner_.find_idempotency(key));
  }
  result<std::size_t> expire_idempotency(std::int64_t before_ms, std::size_t rows_max) override {
    return read_by(inner_.expire_idempotency(before_ms, rows_max));
  }
  result<void> put_idempotency(const idempotency_record& record,
                               std::span<const document_row> made = {}) override {
    return written_by(inner_.put_idempotency(record, made));
  }
  result<void> stage(const session_key& key, std::span<const encoded_event> events) override {
    return written_by(inner_.stage(key, events));
  }
  result<void> discard_staged(const session_key& key) override {
    return read_by(inner_.discard_staged(key), &key);
  }
  result<std::optional<std::string>> get_document(std::string_view collection,
                                                  std::string_view key) const override {
    return read_by(inner_.get_document(collection, key));
  }
  result<void> put_document(std::string_view collection, std::string_view key,
                            std::string_view value) override {
    return written_by(inner_.put_document(collection, key, value));
  }
  result<void> put_documents(
      std::string_view collection,
      std::span<const std::pair<std::string, std::string>> documents) override {
    return written_by(inner_.put_documents(collection, documents));
  }
  result<void> delete_document(std::string_view collection, std::string_view key) override {
    return read_by(inner_.delete_document(collection, key));
  }
  result<void> change_documents(std::string_view collection,
                                std::span<const document_change> changes) override {
    return read_by(inner_.change_documents(collection, changes));
  }
  result<std::vector<std::pair<std::string, std::string>>> list_documents(
      std::string_view collection, std::string_view prefix, std::size_t limit,
      std::string_view after = {}) const override {
    return read_by(inner_.list_documents(collection, prefix, limit, after));
  }
  bool keeps_documents() const override { return inner_.keeps_documents(); }
  result<outbox_page> read_outbox(std::string_view sink, std::uint64_t after,
                                  std::size_t rows_max) const override {
    return read_by(inner_.read_outbox(sink, after, rows_max));
  }
  result<void> delete_outbox(std::string_view sink,
                             const std::vector<std::uint64_t>& numbers) override {
    return read_by(inner_.delete_outbox(sink, numbers));
  }
  result<bool> write_rows(const row_batch& rows) override {
    return written_by(inner_.write_rows(rows));
  }
  void on_outbox(std::function<void(std::uint64_t)> told) override {
    inner_.on_outbox(std::move(told));
  }
  result<void> checkpoint(const std::string& folder) const override {
    return read_by(inner_.checkpoint(folder));
  }
  counters stats() const override { return inner_.stats(); }

 private:
  void look(const error& why, const session_key* session = nullptr) const {
    if (std::string_view(why.code).starts_with("storage.")) observer_.on_store_failed(why, session);
  }
  template <class Result>
  Result read_by(Result answer, const session_key* session = nullptr) const {
    if (!answer) look(answer.error(), session);
    return answer;
  }
  template <class Result>
  Result written_by(Result answer) const {
    if (answer) observer_.on_store_wrote();
    return read_by(std::move(answer));
  }

  event_log& inner_;
  store_observer& observer_;
};

}  // namespace soma::storage
