// The event log of a node of a cluster: every write goes to its partition's log over Kafka and is
// true once it is read from there; every read is of what this node has applied.
//
// - A session's appends are in the partition of its name, and all that is in one of them is one
//   record. So are its staged pieces.
// - Documents, rows for sinks, and answers to keys that come without a session are partition 0's:
//   one order for all of them, whoever's they are. Those that come with a session's append have
//   their place there a moment later (cluster/document_order.hpp), for which the append's answer
//   waits a little; those that a node writes which does not own partition 0 go by the log of a
//   partition that it owns, and are answered when they had their turn.
// - Documents of the node itself (storage/node_rows.hpp) are in no log.
// - The outbox is this node's own: rows are numbered here as they are applied, and deleted here.
//
// Threads: all calls are thread-safe. Writing calls wait until what they wrote was applied here, up
// to cluster.commit_timeout_ms and a lease; `submit` does not. Never call one from `on_applied` or
// `on_outbox`.
//
// A session's incarnation, whose tools and calls of models are effects, lives while this node owns
// it and its lease holds: only then `epoch_of` says an epoch.
//
// Errors beside the port's: cluster.not_owner (nothing was written: another node owns the
// partition, or none does), cluster.owner_lost (nothing was written, and never will be),
// cluster.timeout (nobody knows yet whether it will be).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/placement.hpp"
#include "replication/document_relay.hpp"
#include "replication/replica_host.hpp"
#include "storage/replica_store.hpp"

namespace soma::replication {

// The partition of what is no session's.
using cluster::documents_partition;

class replicated_event_log final : public storage::event_log {
 public:
  // Opens the store and begins to follow the logs; waits up to `wait` until all of them are read
  // and owned by somebody; where `how.rank` is none, and so others say what is claimed, its caller
  // waits for that (replica_host::settled). Errors: the store's, the topic's,
  // dependency.unavailable.
  static result<std::unique_ptr<replicated_event_log>> open(const storage::store_options& store,
                                                            host_settings how,
                                                            std::chrono::milliseconds wait);

  ~replicated_event_log() override;

  replica_host& host() { return *host_; }
  std::uint32_t partition_of(const session_key& key) const;

  std::uint32_t epoch() const override { return store_->epoch(); }
  std::uint32_t epoch_of(const session_key& key) const override;
  std::vector<result<std::uint64_t>> commit(std::span<const storage::append_op> ops) override;
  bool answers_later() const override { return true; }
  void submit(std::vector<storage::append_op> ops, committed done) override;
  void on_applied(applied told) override { host_->on_applied(std::move(told)); }
  result<void> stage(const session_key& key,
                     std::span<const storage::encoded_event> events) override;
  result<void> discard_staged(const session_key& key) override;
  result<std::size_t> expire_idempotency(std::int64_t before_ms, std::size_t rows_max) override;
  result<void> put_idempotency(const storage::idempotency_record& record,
                               std::span<const storage::document_row> made) override;
  result<void> put_document(std::string_view collection, std::string_view key,
                            std::string_view value) override;
  result<void> put_documents(
      std::string_view collection,
      std::span<const std::pair<std::string, std::string>> documents) override;
  result<void> delete_document(std::string_view collection, std::string_view key) override;
  result<void> change_documents(std::string_view collection,
                                std::span<const storage::document_change> changes) override;
  result<void> delete_outbox(std::string_view sink,
                             const std::vector<std::uint64_t>& numbers) override {
    return store_->delete_outbox(sink, numbers);
  }
  result<bool> write_rows(const storage::row_batch& batch) override;
  // On the owner of partition 0, while it has all that other partitions brought.
  bool keeps_documents() const override;

  // For tests: called between the readings of a document's version and of the document.
  void between_readings(std::function<void()> told) { between_readings_ = std::move(told); }

  // Of what is applied here.
  result<storage::session_head> head(const session_key& key) const override {
    return store_->head(key);
  }
  result<storage::event_page> read(const session_key& key,
                                   const storage::read_options& options) const override {
    return store_->read(key, options);
  }
  result<std::optional<std::string>> snapshot(const session_key& key) const override {
    return store_->snapshot(key);
  }
  result<storage::session_list_page> list(
      const tenant_id& tenant, const storage::session_list_options& options) const override {
    return store_->list(tenant, options);
  }
  // Of sessions that this node owns.
  result<std::vector<session_key>> busy_sessions() const override;
  std::uint64_t stored_bytes(const tenant_id& tenant) const override {
    return store_->stored_bytes(tenant);
  }
  result<std::vector<tenant_id>> tenants() const override { return store_->tenants(); }
  result<std::optional<storage::idempotency_record>> find_idempotency(
      std::string_view key) const override {
    return store_->find_idempotency(key);
  }
  result<std::optional<std::string>> get_document(std::string_view collection,
                                                  std::string_view key) const override {
    return store_->get_document(collection, key);
  }
  result<std::vector<std::pair<std::string, std::string>>> list_documents(
      std::string_view collection, std::string_view prefix, std::size_t limit,
      std::string_view after) const override {
    return store_->list_documents(collection, prefix, limit, after);
  }
  result<storage::outbox_page> read_outbox(std::string_view sink, std::uint64_t after,
                                           std::size_t rows_max) const override {
    return store_->read_outbox(sink, after, rows_max);
  }
  void on_outbox(std::function<void(std::uint64_t)> told) override {
    store_->on_outbox(std::move(told));
  }
  result<void> checkpoint(const std::string& folder) const override {
    return store_->checkpoint(folder);
  }
  counters stats() const override { return store_->stats(); }

 private:
  using answer = std::function<void(result<std::uint64_t>)>;
  // What of an atom has its turn in partition 0 before it is answered.
  enum class turn : std::uint8_t { none, a_little, whole };

  replicated_event_log(std::unique_ptr<storage::replica_store> store,
                       std::unique_ptr<replica_host> host);

  void append(const storage::append_op& op, const std::optional<error>& full, answer then);
  // Why it cannot be right, by what is applied; the log judges what is on its way.
  std::optional<error> refuses(const storage::append_op& op, std::uint32_t partition) const;
  std::optional<error> refuses_stage(const session_key& key,
                                     std::span<const storage::encoded_event> events) const;
  std::optional<error> taken(std::span<const storage::idempotency_record> records,
                             std::uint32_t partition) const;
  error refused(const cluster::judgement& judged,
                std::span<const storage::idempotency_record> records,
                std::uint32_t partition) const;
  void write(std::uint32_t partition, cluster::atom one,
             std::vector<storage::idempotency_record> records, answer then,
             turn waits = turn::none);
  result<std::uint64_t> write_and_wait(std::uint32_t partition, cluster::atom one,
                                       std::vector<storage::idempotency_record> records = {},
                                       turn waits = turn::none);
  // To partition 0, whoever owns it.
  result<std::uint64_t> write_documents(cluster::atom one,
                                        std::vector<storage::idempotency_record> records = {});

  const std::unique_ptr<storage::replica_store> store_;
  std::unique_ptr<document_relay> relay_;     // stopped before the host ends, which calls it
  const std::unique_ptr<replica_host> host_;  // ends before the store
  std::function<void()> between_readings_;
};

}  // namespace soma::replication
