#include "replication/replicated_event_log.hpp"

#include <algorithm>
#include <atomic>
#include <future>

#include "core/codes.hpp"
#include "core/may_block.hpp"
#include "core/time.hpp"
#include "replication/atom_body.hpp"
#include "storage/node_rows.hpp"

namespace soma::replication {
namespace {

// Of the texts of one record, so that it fits with what is around them.
constexpr std::size_t staged_bytes_max = cluster::record_bytes_max / 2;
// A document that others keep changing, and that is not the one that was expected, is looked at
// anew so often.
constexpr int condition_tries_max = 8;
// An append's documents have their turn in partition 0 before it is answered, if that is soon. It
// is written all the same, and must not wait for another partition's owner.
constexpr std::chrono::milliseconds turn_waited_for{500};
// Who has not derived all that waited for so long does not sweep what may be in use.
constexpr std::chrono::seconds derived_within{60};

error not_owner() {
  return error(codes::cluster_not_owner, "another node owns this, or none does just now", 1);
}

error not_taken(cluster::admission why) {
  switch (why) {
    case cluster::admission::head_differs:
      return error(codes::session_head_mismatch, "the session's log has moved on");
    case cluster::admission::session_gone:
      return error(codes::session_head_mismatch, "a session of this id was removed");
    case cluster::admission::other_epoch:
      return error(codes::cluster_owner_lost, "the session was made under an older claim", 1);
    case cluster::admission::too_large:
      return error(codes::event_too_large, "it is larger than a record of the log may be");
    case cluster::admission::full:
      return error(codes::server_busy, "too much is on its way to the log", 1);
    case cluster::admission::unreadable:
      return error(codes::storage_unavailable, "the store cannot be read");
    default: return not_owner();
  }
}

enum class owned_by : std::uint8_t { node, all, both };

owned_by whose(const storage::row_batch& batch) {
  bool node = false, all = !batch.outbox.empty() || !batch.idempotency.empty();
  const auto look = [&](std::string_view collection) {
    (storage::is_of_node(collection) ? node : all) = true;
  };
  for (const auto& one : batch.expected) look(one.collection);
  for (const auto& one : batch.deleted) look(one.first);
  for (const auto& one : batch.documents) look(one.collection);
  return node && all ? owned_by::both : node ? owned_by::node : owned_by::all;
}

std::vector<cluster::key_use> uses_of(std::span<const storage::idempotency_record> records) {
  std::vector<cluster::key_use> uses;
  for (const auto& r : records) uses.push_back({r.key, std::min(r.ttl_ms, keys_kept_ms)});
  return uses;
}

}  // namespace

replicated_event_log::replicated_event_log(std::unique_ptr<storage::replica_store> store,
                                           std::unique_ptr<replica_host> host)
    : store_(std::move(store)),
      relay_(std::make_unique<document_relay>(*host)),
      host_(std::move(host)) {}

replicated_event_log::~replicated_event_log() {
  relay_->stop();
}

result<std::unique_ptr<replicated_event_log>> replicated_event_log::open(
    const storage::store_options& options, host_settings how, std::chrono::milliseconds wait) {
  auto store = storage::open_rocksdb_replica_store(options);
  if (!store) return store.error();
  const bool claims_by_itself = how.rank.has_value();
  auto host = replica_host::open(std::move(how), **store, wait);
  if (!host) return host.error();
  std::unique_ptr<replicated_event_log> made(
      new replicated_event_log(std::move(*store), std::move(*host)));
  if (claims_by_itself && !made->host_->settled(wait))
    return error(codes::dependency_unavailable,
                 "the logs of the cluster were not read to their end, or have no owner, in time");
  return made;
}

std::uint32_t replicated_event_log::partition_of(const session_key& key) const {
  return cluster::partition_of(key, host_->partitions());
}

std::uint32_t replicated_event_log::epoch_of(const session_key& key) const {
  const auto seen = host_->look(partition_of(key));
  return seen.owned_here && seen.may_act ? seen.epoch : 0;
}

result<std::vector<session_key>> replicated_event_log::busy_sessions() const {
  auto all = store_->busy_sessions();
  if (all) std::erase_if(*all, [this](const session_key& key) { return epoch_of(key) == 0; });
  return all;
}

// ---- one atom ----

void replicated_event_log::write(std::uint32_t partition, cluster::atom one,
                                 std::vector<storage::idempotency_record> records, answer then,
                                 turn waits) {
  auto kept = std::make_shared<answer>(std::move(then));
  const auto told = [this, partition, kept, waits, records = std::move(records)](
                        const cluster::append_answer& a, const std::optional<error>& by_store) {
    if (by_store) return (*kept)(*by_store);
    switch (a.what) {
      case cluster::append_outcome::written: {
        if (waits == turn::none) return (*kept)(a.judged.seq);
        const cluster::source_tag tag{partition, a.offset};
        if (waits == turn::a_little)
          return relay_->when_derived(tag, turn_waited_for,
                                      [kept, seq = a.judged.seq](const auto&) { (*kept)(seq); });
        const auto within = host_->answers_within();
        return relay_->when_derived(tag, within, [this, kept, records](const auto& judged) {
          if (!judged)
            return (*kept)(error(codes::cluster_timeout, "it has no place among documents yet", 1));
          if (judged->what == cluster::verdict::counted) return (*kept)(judged->seq);
          (*kept)(refused(*judged, records, documents_partition));
        });
      }
      case cluster::append_outcome::refused: return (*kept)(refused(a.judged, records, partition));
      case cluster::append_outcome::not_written:
        return (*kept)(error(codes::cluster_owner_lost,
                             "this node ceased to own it before it was written", 1));
      case cluster::append_outcome::unknown:
        return (*kept)(error(codes::cluster_timeout, "Kafka did not give it back in time", 1));
    }
  };
  const auto taken = host_->write(partition, std::move(one), told);
  if (taken != cluster::admission::taken) (*kept)(not_taken(taken));
}

error replicated_event_log::refused(const cluster::judgement& judged,
                                    std::span<const storage::idempotency_record> records,
                                    std::uint32_t partition) const {
  switch (judged.why) {
    case cluster::reason::key_exists:
      for (const auto& r : records)
        if (const auto kept = host_->facts(partition).key(r.key);
            kept && *kept && (*kept)->offset == judged.kept.offset)
          return error(codes::idempotency_exists, "a request with this key was carried out before")
              .about(r.key);
      return error(codes::idempotency_exists, "a request with this key was carried out before");
    case cluster::reason::version_differs:
      return error(codes::request_invalid_parameter, "a document was changed meanwhile");
    case cluster::reason::epoch_differs:
      return error(codes::cluster_owner_lost, "it was made under an older claim", 1);
    default: return error(codes::session_head_mismatch, "the session's log has moved on");
  }
}

result<std::uint64_t> replicated_event_log::write_and_wait(
    std::uint32_t partition, cluster::atom one, std::vector<storage::idempotency_record> records,
    turn waits) {
  expect_may_block("a write of the cluster's log");
  // What only deletes makes room in the end.
  const bool puts =
      waits == turn::whole || std::any_of(one.documents.begin(), one.documents.end(),
                                          [](const auto& d) { return d.value.has_value(); });
  if (const auto full = store_->refuses_writes(); full && puts) return *full;
  auto done = std::make_shared<std::promise<result<std::uint64_t>>>();
  auto answered = done->get_future();
  write(
      partition, std::move(one), std::move(records),
      [done](result<std::uint64_t> how) { done->set_value(std::move(how)); }, waits);
  return answered.get();  // the host answers everybody in time, and so does the relay
}

result<std::uint64_t> replicated_event_log::write_documents(
    cluster::atom one, std::vector<storage::idempotency_record> records) {
  // Where a partition is just being given up or claimed anew nothing was written, and another way
  // may be open.
  const auto closed = [](const error& why) { return why.code == codes::cluster_not_owner; };
  if (host_->epoch_of(documents_partition) != 0) {
    const auto sent = relay_->send();
    if (!sent && !closed(sent.error())) return sent.error();
    if (sent) {
      auto done = write_and_wait(documents_partition, one, records);
      if (done || !closed(done.error())) return done;
    }
  }
  // By the log of a partition that is here: whoever owns that of documents takes it from there.
  cluster::atom carried;
  carried.body = encode_carried(one);
  for (std::uint32_t p = 0; p < host_->partitions(); ++p) {
    if (p == documents_partition || host_->epoch_of(p) == 0) continue;
    auto done = write_and_wait(p, carried, records, turn::whole);
    if (done || !closed(done.error())) return done;
  }
  return not_owner();
}

// Answers are kept as long as their keys are refused, which is by the time of the log that they are
// in: the earliest of them all says which go.
result<std::size_t> replicated_event_log::expire_idempotency(std::int64_t before_ms,
                                                             std::size_t rows_max) {
  auto behind_ms = now_ms();
  for (std::uint32_t p = 0; p < host_->partitions(); ++p)
    if (const auto at = host_->facts(p).time_ms(); at > 0) behind_ms = std::min(behind_ms, at);
  return store_->expire_idempotency(before_ms - (now_ms() - behind_ms), rows_max);
}

bool replicated_event_log::keeps_documents() const {
  // What a partition that stands still here brought may be missing.
  for (std::uint32_t p = 0; p < host_->partitions(); ++p)
    if (host_->look(p).stopped) return false;
  const auto seen = host_->look(documents_partition);
  return seen.owned_here && seen.may_act && relay_->has_derived_all_within(derived_within);
}

std::optional<error> replicated_event_log::taken(
    std::span<const storage::idempotency_record> records, std::uint32_t partition) const {
  // By the log's time, as it will judge: a node whose clock is ahead has perhaps written there.
  const auto time_ms = std::max(now_ms(), host_->facts(partition).time_ms());
  for (const auto& r : records) {
    const auto kept = host_->facts(partition).key(r.key);
    if (!kept) return kept.error();
    if (*kept && (*kept)->time_ms > time_ms - std::min(r.ttl_ms, keys_kept_ms))
      return error(codes::idempotency_exists, "a request with this key was carried out before")
          .about(r.key);
  }
  return std::nullopt;
}

// ---- sessions ----

std::optional<error> replicated_event_log::refuses(const storage::append_op& op,
                                                   std::uint32_t partition) const {
  if (auto gone = taken(op.idempotency, partition)) return gone;
  for (const auto& e : op.events)
    if (e.json.size() > store_->event_bytes_max())
      return error(codes::event_too_large, "the event is larger than the log takes");
  if (!op.publish_staged && (op.expected_seq > 0 || !op.events.empty())) return std::nullopt;
  const auto staged = store_->staged_seq(op.key);
  if (!staged) return staged.error();
  if (!op.publish_staged)
    return *staged ? error(codes::session_busy, "a copy is being staged for this session")
                   : error(codes::session_not_found, "a session begins with an event");
  const auto head = store_->head_seq(op.key);
  if (!head) return head.error();
  if (*head) return error(codes::session_busy, "the session exists already");
  if (!*staged) return error(codes::session_not_found, "nothing is staged for this session");
  if (**staged != op.expected_seq)
    return error(codes::session_head_mismatch, "the session's log has moved on");
  return std::nullopt;
}

void replicated_event_log::append(const storage::append_op& op, const std::optional<error>& full,
                                  answer then) {
  if (full && !op.remove && !op.first_seq) return then(*full);
  const auto partition = partition_of(op.key);
  const auto epoch = host_->epoch_of(partition);
  if (epoch == 0) return then(not_owner());
  if (auto why = refuses(op, partition)) return then(*why);
  cluster::atom one;
  one.session = op.key;
  one.epoch = op.epoch ? op.epoch : epoch;
  one.events = static_cast<std::uint32_t>(op.events.size());
  one.expected = op.expected_seq;
  if (op.publish_staged) {  // its first events are there, and no session yet
    one.events += static_cast<std::uint32_t>(op.expected_seq);
    one.expected = 0;
  }
  one.removes = op.remove;
  one.keys = uses_of(op.idempotency);
  one.body = encode_append(op);
  // A snapshot is a cache: an append that is too large with it goes without.
  if (op.snapshot && one.body.size() > cluster::record_bytes_max / 2) {
    auto bare = op;
    bare.snapshot.reset();
    one.body = encode_append(bare);
  }
  const bool brings = !op.documents.empty() || !op.gone.empty() || !op.outbox.empty();
  const auto waits = brings && partition != documents_partition ? turn::a_little : turn::none;
  const bool first = op.expected_seq > 0 && !op.publish_staged;
  write(
      partition, std::move(one), op.idempotency,
      [this, key = first ? op.key : session_key(),
       then = std::move(then)](result<std::uint64_t> done) {
        // As an append to what is only staged is refused everywhere.
        if (!done && done.error().code == codes::session_head_mismatch && !key.session.empty())
          if (const auto staged = store_->staged_seq(key); staged && *staged)
            return then(error(codes::session_busy, "a copy is being staged for this session"));
        then(std::move(done));
      },
      waits);
}

void replicated_event_log::submit(std::vector<storage::append_op> ops, committed done) {
  if (ops.empty()) return done({});
  struct batch {
    std::vector<result<std::uint64_t>> results;
    std::atomic<std::size_t> left;
    committed done;
  };
  auto all = std::make_shared<batch>();
  all->results.assign(ops.size(), result<std::uint64_t>(0));
  all->left = ops.size();
  all->done = std::move(done);
  const auto full = store_->refuses_writes();
  for (std::size_t n = 0; n < ops.size(); ++n)
    append(ops[n], full, [all, n](result<std::uint64_t> how) {
      all->results[n] = std::move(how);
      if (--all->left == 0) all->done(std::move(all->results));
    });
}

std::vector<result<std::uint64_t>> replicated_event_log::commit(
    std::span<const storage::append_op> ops) {
  expect_may_block("a write of the cluster's log");
  auto done = std::make_shared<std::promise<std::vector<result<std::uint64_t>>>>();
  auto waits = done->get_future();
  submit({ops.begin(), ops.end()}, [done](std::vector<result<std::uint64_t>> results) {
    done->set_value(std::move(results));
  });
  return waits.get();
}

std::optional<error> replicated_event_log::refuses_stage(
    const session_key& key, std::span<const storage::encoded_event> events) const {
  const auto head = store_->head_seq(key);
  if (!head) return head.error();
  if (*head) return error(codes::session_busy, "the session exists already");
  const auto gone = host_->facts(partition_of(key)).head(key);
  if (!gone) return gone.error();
  if (gone->gone) return error(codes::session_busy, "a session of this id was removed");
  for (const auto& e : events)
    if (e.json.size() > store_->event_bytes_max())
      return error(codes::event_too_large, "the event is larger than the log takes");
  const auto staged = store_->staged_seq(key);
  if (!staged) return staged.error();
  if (!events.empty() && events.front().seq != staged->value_or(0) + 1)
    return error(codes::cluster_owner_lost, "what was staged before it is gone", 1);
  return std::nullopt;
}

result<void> replicated_event_log::stage(const session_key& key,
                                         std::span<const storage::encoded_event> events) {
  if (auto full = store_->refuses_writes()) return *full;
  if (auto why = refuses_stage(key, events)) return *why;
  while (!events.empty()) {
    storage::staged_events piece;
    piece.key = key;
    std::size_t bytes = 0, count = 0;
    for (; count < events.size() && bytes < staged_bytes_max; ++count)
      bytes += events[count].json.size() + 16;
    piece.events.assign(events.begin(), events.begin() + static_cast<std::ptrdiff_t>(count));
    events = events.subspan(count);
    cluster::atom one;
    one.body = encode_stage(piece);
    auto done = write_and_wait(partition_of(key), std::move(one));
    if (!done) return done.error();
  }
  return {};
}

result<void> replicated_event_log::discard_staged(const session_key& key) {
  const auto staged = store_->staged_seq(key);
  if (!staged) return staged.error();
  if (!*staged) return {};
  cluster::atom one;
  one.body = encode_discard(key);
  auto done = write_and_wait(partition_of(key), std::move(one));
  return done ? result<void>() : result<void>(done.error());
}

// ---- what is no session's ----

result<void> replicated_event_log::put_idempotency(const storage::idempotency_record& record,
                                                   std::span<const storage::document_row> made) {
  storage::row_batch rows;
  rows.documents.assign(made.begin(), made.end());
  rows.idempotency.push_back(record);
  auto done = write_rows(rows);
  return done ? result<void>() : result<void>(done.error());
}

result<void> replicated_event_log::put_document(std::string_view collection, std::string_view key,
                                                std::string_view value) {
  const storage::document_change one{std::string(key), std::string(value)};
  return change_documents(collection, {&one, 1});
}

result<void> replicated_event_log::put_documents(
    std::string_view collection, std::span<const std::pair<std::string, std::string>> documents) {
  std::vector<storage::document_change> changes;
  for (const auto& [key, value] : documents) changes.push_back({key, value});
  return change_documents(collection, changes);
}

result<void> replicated_event_log::delete_document(std::string_view collection,
                                                   std::string_view key) {
  const storage::document_change one{std::string(key), std::nullopt};
  return change_documents(collection, {&one, 1});
}

result<void> replicated_event_log::change_documents(
    std::string_view collection, std::span<const storage::document_change> changes) {
  if (changes.empty()) return {};
  if (storage::is_of_node(collection)) return store_->change_documents(collection, changes);
  cluster::atom one;
  for (const auto& change : changes)
    one.documents.push_back({std::string(collection), change.key, std::nullopt, change.value});
  one.body = encode_rows({});
  auto done = write_documents(std::move(one));
  return done ? result<void>() : result<void>(done.error());
}

result<bool> replicated_event_log::write_rows(const storage::row_batch& batch) {
  if (batch.documents.empty() && batch.deleted.empty() && batch.outbox.empty() &&
      batch.idempotency.empty() && batch.expected.empty())
    return true;
  switch (whose(batch)) {
    case owned_by::node: return store_->write_rows(batch);
    case owned_by::both:
      return error(codes::internal, "documents of a node and of all nodes are in one batch");
    case owned_by::all: break;
  }
  const auto& facts = host_->facts(documents_partition);
  for (int tries = 0;; ++tries) {
    cluster::atom one;
    for (const auto& d : batch.deleted) one.documents.push_back({d.first, d.second, {}, {}});
    for (const auto& d : batch.documents)
      one.documents.push_back({d.collection, d.key, {}, d.value});
    for (const auto& [collection, key, value] : batch.expected) {
      // The version first: should it be written in between, the document is newer than what the
      // log is asked for, which then refuses.
      const auto version = facts.version(collection, key);
      if (!version) return version.error();
      if (between_readings_) between_readings_();
      const auto there = store_->get_document(collection, key);
      if (!there) return there.error();
      if (!*there || (value && **there != *value)) return false;
      const auto expected = version->value_or(cluster::nowhere);
      bool written = false;
      for (auto& w : one.documents)
        if (w.collection == collection && w.key == key) {
          w.expected = expected;
          written = true;
        }
      if (!written) one.documents.push_back({collection, key, expected, std::nullopt, true});
    }
    if (auto gone = taken(batch.idempotency, documents_partition)) return *gone;
    one.keys = uses_of(batch.idempotency);
    one.body = encode_rows({batch.idempotency, batch.outbox});
    auto done = write_documents(std::move(one), batch.idempotency);
    if (done) return true;
    // What its writer expects is looked at anew, and never written over.
    if (done.error().code != codes::request_invalid_parameter) return done.error();
    if (tries + 1 == condition_tries_max)
      return error(codes::server_busy, "others keep changing the document", 1);
  }
}

}  // namespace soma::replication
