// An event log that seals what people said, under the key of their tenant, before the inner log is
// given it, and opens it as it is read. Nobody on either side notices: what is replicated, backed
// up or compacted below is sealed, search and streams above are not.
//
//   events                 the envelope; type, seq and epoch stay readable
//   heads                  the title
//   snapshots              all
//   idempotency records    the request's hash and the answer
//   documents              the values of the collections that sealed_collection names
//
// Each value is bound to its place (tenant, session, seq and type; collection and key), so that
// rows that were swapped are storage.corrupt. A title is bound to its tenant and to when its
// session was made; one that does not open is given out empty, since a list is no place to lose all
// sessions for one.
//
// A document that does not open is left out of lists, which the log says; asked for by itself it is
// storage.corrupt.
//
// Values that are not sealed are given out as they are: it can be switched on for a store that is
// there. What is written while it is off is written plainly; but for a value that would be taken
// for a sealed one, of a tenant that has a key.
//
// A page's `bytes_max` counts values as they are stored, so 32 bytes more for each.
//
// A tenant that was erased: its sessions are tenant.erased, and so is whatever is written; of its
// documents there are none. Where documents of several tenants are written at once, its are left
// out, so that it stands in nobody's way. Threads, blocking and errors else: as event_log.hpp says.
// Lifetime: inner and keys outlive it.
#pragma once

#include "security/secrets/tenant_keys.hpp"
#include "storage/event_log.hpp"

namespace soma::sealing {

// Whether the documents of a collection are sealed. Their keys begin with the tenant and a line
// feed.
bool sealed_collection(std::string_view collection);

class sealed_event_log final : public storage::event_log {
 public:
  sealed_event_log(storage::event_log& inner, security::tenant_keys& keys)
      : inner_(inner), keys_(keys) {}

  std::uint32_t epoch() const override { return inner_.epoch(); }
  std::uint32_t epoch_of(const session_key& key) const override { return inner_.epoch_of(key); }
  std::vector<result<std::uint64_t>> commit(std::span<const storage::append_op> ops) override;
  // A log that answers later is not sealed: a start with both is refused (node/settings_checks).
  bool answers_later() const override { return inner_.answers_later(); }
  void submit(std::vector<storage::append_op> ops, committed done) override {
    if (!inner_.answers_later()) return done(commit(ops));
    inner_.submit(std::move(ops), std::move(done));
  }
  void on_applied(applied told) override { inner_.on_applied(std::move(told)); }
  result<storage::session_head> head(const session_key& key) const override;
  result<storage::event_page> read(const session_key& key,
                                   const storage::read_options& options) const override;
  result<std::optional<std::string>> snapshot(const session_key& key) const override;
  result<storage::session_list_page> list(
      const tenant_id& tenant, const storage::session_list_options& options) const override;
  result<std::vector<session_key>> busy_sessions() const override;
  std::uint64_t stored_bytes(const tenant_id& tenant) const override {
    return inner_.stored_bytes(tenant);
  }
  result<std::vector<tenant_id>> tenants() const override;
  result<std::optional<storage::idempotency_record>> find_idempotency(
      std::string_view key) const override;
  result<std::size_t> expire_idempotency(std::int64_t before_ms, std::size_t rows_max) override {
    return inner_.expire_idempotency(before_ms, rows_max);
  }
  result<void> put_idempotency(const storage::idempotency_record& record,
                               std::span<const storage::document_row> made) override;
  result<void> stage(const session_key& key,
                     std::span<const storage::encoded_event> events) override;
  result<void> discard_staged(const session_key& key) override {
    return inner_.discard_staged(key);
  }
  result<std::optional<std::string>> get_document(std::string_view collection,
                                                  std::string_view key) const override;
  result<void> put_document(std::string_view collection, std::string_view key,
                            std::string_view value) override;
  result<void> put_documents(
      std::string_view collection,
      std::span<const std::pair<std::string, std::string>> documents) override;
  result<void> delete_document(std::string_view collection, std::string_view key) override {
    return inner_.delete_document(collection, key);
  }
  result<void> change_documents(std::string_view collection,
                                std::span<const storage::document_change> changes) override;
  result<std::vector<std::pair<std::string, std::string>>> list_documents(
      std::string_view collection, std::string_view prefix, std::size_t limit,
      std::string_view after) const override;
  bool keeps_documents() const override { return inner_.keeps_documents(); }
  result<storage::outbox_page> read_outbox(std::string_view sink, std::uint64_t after,
                                           std::size_t rows_max) const override {
    return inner_.read_outbox(sink, after, rows_max);
  }
  result<void> delete_outbox(std::string_view sink,
                             const std::vector<std::uint64_t>& numbers) override {
    return inner_.delete_outbox(sink, numbers);
  }
  result<bool> write_rows(const storage::row_batch& rows) override;
  void on_outbox(std::function<void(std::uint64_t)> told) override {
    inner_.on_outbox(std::move(told));
  }
  result<void> checkpoint(const std::string& folder) const override {
    return inner_.checkpoint(folder);
  }
  counters stats() const override { return inner_.stats(); }

 private:
  using key_of_values = std::shared_ptr<const security::value_key>;
  bool passes() const { return keys_.unused(); }  // nothing is sealed, and nothing was
  result<storage::append_op> sealed(const storage::append_op& op);
  result<storage::idempotency_record> sealed(const storage::idempotency_record& record);
  result<std::vector<storage::document_row>> sealed(std::span<const storage::document_row> rows);
  // Those of erased tenants are left out.
  template <class Row, class Seal>
  result<std::vector<Row>> sealed_rows(std::span<const Row> rows, Seal seal);
  result<std::optional<storage::expected_document>> expected(
      const storage::expected_document& one) const;
  result<void> seal_document(std::string_view collection, std::string_view key, std::string& value);
  result<void> seal(const tenant_id& tenant, const key_of_values& key, std::string& value,
                    std::string_view bound_to) const;
  result<void> open_value(const tenant_id& tenant, std::string& value,
                          std::string_view bound_to) const;
  void open_title(const tenant_id& tenant, storage::session_info& info) const;
  result<void> refuse_erased(const tenant_id& tenant) const;

  storage::event_log& inner_;
  security::tenant_keys& keys_;
};

}  // namespace soma::sealing
