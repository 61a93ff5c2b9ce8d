// An event log whose disk stands still when told so: writing calls wait inside, as they do in an
// fsync, until they are let go; reading calls do not. For tests of who waits with them.
// Thread-safe. The destructor lets go.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

#include "storage/event_log.hpp"

namespace soma::storage {

class held_log : public event_log {
 public:
  explicit held_log(event_log& inner) : inner_(inner) {}
  ~held_log() override { let_go(); }

  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  // Until so many writing calls stand inside.
  void wait_for_writers(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ >= count; });
  }

  std::uint32_t epoch() const override { return inner_.epoch(); }
  std::uint64_t stored_bytes(const tenant_id& tenant) const override {
    return inner_.stored_bytes(tenant);
  }
  std::vector<result<std::uint64_t>> commit(std::span<const append_op> ops) override {
    return wait(), inner_.commit(ops);
  }
  result<session_head> head(const session_key& key) const override { return inner_.head(key); }
  result<event_page> read(const session_key& key, const read_options& o) const override {
    return inner_.read(key, o);
  }
  result<std::optional<std::string>> snapshot(const session_key& key) const override {
    return inner_.snapshot(key);
  }
  result<session_list_page> list(const tenant_id& t, const session_list_options& o) const override {
    return inner_.list(t, o);
  }
  result<std::vector<session_key>> busy_sessions() const override { return inner_.busy_sessions(); }
  result<std::vector<tenant_id>> tenants() const override { return inner_.tenants(); }
  result<std::optional<idempotency_record>> find_idempotency(std::string_view k) const override {
    return inner_.find_idempotency(k);
  }
  result<std::size_t> expire_idempotency(std::int64_t before_ms, std::size_t rows_max) override {
    return wait(), inner_.expire_idempotency(before_ms, rows_max);
  }
  result<void> put_idempotency(const idempotency_record& r,
                               std::span<const document_row> made) override {
    return wait(), inner_.put_idempotency(r, made);
  }
  result<void> stage(const session_key& key, std::span<const encoded_event> events) override {
    return wait(), inner_.stage(key, events);
  }
  result<void> discard_staged(const session_key& key) override {
    return wait(), inner_.discard_staged(key);
  }
  result<std::optional<std::string>> get_document(std::string_view c,
                                                  std::string_view k) const override {
    return inner_.get_document(c, k);
  }
  result<void> put_document(std::string_view c, std::string_view k, std::string_view v) override {
    return wait(), inner_.put_document(c, k, v);
  }
  result<void> put_documents(std::string_view c,
                             std::span<const std::pair<std::string, std::string>> all) override {
    return wait(), inner_.put_documents(c, all);
  }
  result<void> delete_document(std::string_view c, std::string_view k) override {
    return wait(), inner_.delete_document(c, k);
  }
  result<void> change_documents(std::string_view c,
                                std::span<const document_change> changes) override {
    return wait(), inner_.change_documents(c, changes);
  }
  result<std::vector<std::pair<std::string, std::string>>> list_documents(
      std::string_view c, std::string_view prefix, std::size_t limit,
      std::string_view after = {}) const override {
    return inner_.list_documents(c, prefix, limit, after);
  }
  result<outbox_page> read_outbox(std::string_view s, std::uint64_t after,
                                  std::size_t rows_max) const override {
    return inner_.read_outbox(s, after, rows_max);
  }
  result<void> delete_outbox(std::string_view s, const std::vector<std::uint64_t>& all) override {
    return wait(), inner_.delete_outbox(s, all);
  }
  result<bool> write_rows(const row_batch& rows) override {
    if (auto meddle = std::exchange(meddles_, {})) meddle();
    return wait(), inner_.write_rows(rows);
  }
  // Called once, in front of the next batch of rows: what another writes in between. One thread.
  void before_rows(std::function<void()> meddles) { meddles_ = std::move(meddles); }
  bool keeps_documents() const override { return keeps_; }
  void keeps(bool documents) { keeps_ = documents; }
  void on_outbox(std::function<void(std::uint64_t)> told) override {
    inner_.on_outbox(std::move(told));
  }
  result<void> checkpoint(const std::string& folder) const override {
    return inner_.checkpoint(folder);
  }
  counters stats() const override { return inner_.stats(); }

 private:
  void wait() {
    std::unique_lock lock(mutex_);
    ++inside_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !held_; });
    --inside_;
  }

  event_log& inner_;
  std::function<void()> meddles_;
  std::atomic<bool> keeps_ = true;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  int inside_ = 0;
};

}  // namespace soma::storage
