// A log that another one stands behind, for tests that change one call of it. Base: event_log or
// what is made of it.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/event_log.hpp"

namespace soma::testing {

template <class Base = storage::event_log>
class forwarding_log : public Base {
 public:
  explicit forwarding_log(Base& inner) : inner_(inner) {}

  std::uint32_t epoch() const override { return inner_.epoch(); }
  std::uint32_t epoch_of(const session_key& key) const override { return inner_.epoch_of(key); }
  std::vector<result<std::uint64_t>> commit(std::span<const storage::append_op> ops) override {
    return inner_.commit(ops);
  }
  bool answers_later() const override { return inner_.answers_later(); }
  void submit(std::vector<storage::append_op> ops, storage::session_log::committed done) override {
    inner_.submit(std::move(ops), std::move(done));
  }
  void on_applied(storage::session_log::applied told) override {
    inner_.on_applied(std::move(told));
  }
  result<void> stage(const session_key& key,
                     std::span<const storage::encoded_event> events) override {
    return inner_.stage(key, events);
  }
  result<void> discard_staged(const session_key& key) override {
    return inner_.discard_staged(key);
  }
  result<storage::session_head> head(const session_key& key) const override {
    return inner_.head(key);
  }
  result<storage::event_page> read(const session_key& key,
                                   const storage::read_options& options) const override {
    return inner_.read(key, options);
  }
  result<std::optional<std::string>> snapshot(const session_key& key) const override {
    return inner_.snapshot(key);
  }
  result<storage::session_list_page> list(
      const tenant_id& tenant, const storage::session_list_options& options) const override {
    return inner_.list(tenant, options);
  }
  result<std::vector<session_key>> busy_sessions() const override { return inner_.busy_sessions(); }
  std::uint64_t stored_bytes(const tenant_id& tenant) const override {
    return inner_.stored_bytes(tenant);
  }
  result<std::vector<tenant_id>> tenants() const override { return inner_.tenants(); }
  result<std::optional<storage::idempotency_record>> find_idempotency(
      std::string_view key) const override {
    return inner_.find_idempotency(key);
  }
  result<std::size_t> expire_idempotency(std::int64_t before_ms, std::size_t rows_max) override {
    return inner_.expire_idempotency(before_ms, rows_max);
  }
  result<void> put_idempotency(const storage::idempotency_record& record,
                               std::span<const storage::document_row> made) override {
    return inner_.put_idempotency(record, made);
  }
  result<std::optional<std::string>> get_document(std::string_view collection,
                                                  std::string_view key) const override {
    return inner_.get_document(collection, key);
  }
  result<void> put_document(std::string_view collection, std::string_view key,
                            std::string_view value) override {
    return inner_.put_document(collection, key, value);
  }
  result<void> put_documents(
      std::string_view collection,
      std::span<const std::pair<std::string, std::string>> documents) override {
    return inner_.put_documents(collection, documents);
  }
  result<void> delete_document(std::string_view collection, std::string_view key) override {
    return inner_.delete_document(collection, key);
  }
  result<void> change_documents(std::string_view collection,
                                std::span<const storage::document_change> changes) override {
    return inner_.change_documents(collection, changes);
  }
  result<std::vector<std::pair<std::string, std::string>>> list_documents(
      std::string_view collection, std::string_view prefix, std::size_t limit,
      std::string_view after) const override {
    return inner_.list_documents(collection, prefix, limit, after);
  }
  result<storage::outbox_page> read_outbox(std::string_view sink, std::uint64_t after,
                                           std::size_t rows_max) const override {
    return inner_.read_outbox(sink, after, rows_max);
  }
  result<void> delete_outbox(std::string_view sink,
                             const std::vector<std::uint64_t>& numbers) override {
    return inner_.delete_outbox(sink, numbers);
  }
  result<bool> write_rows(const storage::row_batch& rows) override {
    return inner_.write_rows(rows);
  }
  void on_outbox(std::function<void(std::uint64_t)> told) override {
    inner_.on_outbox(std::move(told));
  }
  result<void> checkpoint(const std::string& folder) const override {
    return inner_.checkpoint(folder);
  }
  storage::event_log::counters stats() const override { return inner_.stats(); }

 protected:
  Base& inner_;
};

}  // namespace soma::testing
