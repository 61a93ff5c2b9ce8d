// What is read of a partition's log: judged, carried out, or kept aside where there is no room.
#include <utility>

#include "core/codes.hpp"
#include "observability/log.hpp"
#include "replication/replica_host_parts.hpp"

namespace soma::replication {
namespace {

constexpr std::int64_t room_looked_for_every_ms = 200;

}  // namespace

void replica_host::on_record(part& of, const kafka::read_from_log& one, told& out) {
  auto& replica = *of.replica;
  if (replica.stopped()) return;
  of.doubts.reset();
  of.in_doubt = false;
  if (!of.verified) {
    if (!cluster::same_log(replica.state(), one.offset, one.bytes))
      return stop(of, cluster::reason::other_changelog,
                  "changelog.mismatch: the record that was read last is another by now", out);
    of.verified = true;
    return;
  }
  if (one.offset < replica.state().next) return;
  const bool at_end = one.offset + 1 >= consumer_->known_end(of.number);
  replica.at_end(at_end);
  of.at_end = at_end;
  const auto claim_before = replica.state().claim;
  auto read = replica.read(clocks_now(), of.rows, one.offset, one.bytes);
  if (read.judged.what == cluster::verdict::stopped) {
    log(log_level::error, "cluster.partition_stopped",
        {{"partition", of.number},
         {"offset", one.offset},
         {"reason", cluster::to_string(read.judged.why)},
         {"what", read.judged.detail}});
    return take(of, read.then, out);
  }
  const auto& state = replica.state();
  if (!state.changelog.empty() &&
      (state.partition != of.number || state.partitions != how_.partitions))
    return stop(of, cluster::reason::other_changelog,
                "the log is of another partition, or of a cluster with another number of them",
                out);
  const bool claimed = state.claim != claim_before && !state.owner.empty();
  if (auto counted = prepare(of, one, read, claimed, out)) carry_out(of, std::move(counted), out);
}

// Null: it cannot be carried out, and the partition has stopped.
std::unique_ptr<replica_host::counted> replica_host::prepare(part& of,
                                                             const kafka::read_from_log& one,
                                                             cluster::reading& what, bool claimed,
                                                             told& out) {
  const auto& state = of.replica->state();
  auto made = std::make_unique<counted>();
  made->offset = one.offset;
  made->then = std::move(what.then);
  auto& write = made->write;
  write.epoch = state.epoch;
  write.place = of.rows.place(state);
  const auto refuse = [&](cluster::reason why, const error& e) {
    stop(of, why, e.detail, out);
    return nullptr;
  };
  if (claimed)  // what was being staged under an older claim can never be published
    write.ends_stages = [this, number = of.number](const session_key& key) {
      return cluster::partition_of(key, how_.partitions) == number;
    };
  const auto done = [&] {
    if (!what.passed) return std::move(made);
    of.rows.pass(*what.passed, made->write.rows);
    made->derived.emplace_back(*what.passed, what.judged);
    return std::move(made);
  };
  if (!what.apply) return done();
  auto rows = of.rows.changes(state, one.offset, *what.apply, what.judged);
  if (!rows) return refuse(cluster::reason::facts_unreadable, rows.error());
  write.rows = std::move(*rows);
  // Documents alone need none.
  auto decoded = what.apply->body.empty()
                     ? result<atom_body>(atom_body(tenant_rows()))
                     : decode_body(what.apply->body, what.apply->session, what.apply->epoch);
  if (!decoded)
    return refuse(decoded.error().code == codes::storage_format ? cluster::reason::format_unknown
                                                                : cluster::reason::unreadable,
                  decoded.error());
  auto& body = made->body = std::move(*decoded);
  write.append = std::get_if<storage::append_op>(&body);
  write.staged = std::get_if<storage::staged_events>(&body);
  if (const auto* gone = std::get_if<discarded_stage>(&body)) write.discarded = &gone->key;
  if (auto* plain = std::get_if<tenant_rows>(&body)) {
    write.idempotency = std::move(plain->idempotency);
    write.outbox = std::move(plain->outbox);
    write.gone = std::move(plain->gone);
  }
  for (const auto& d : what.apply->documents)
    if (!d.only_looked_at) write.documents.push_back({d.collection, d.key, d.value});
  const auto& documents = parts_[cluster::documents_partition]->rows;
  const auto waits = of.rows.order_documents(documents, one.offset, body, write);
  if (!waits) return refuse(cluster::reason::facts_unreadable, waits.error());
  made->documents_wait = *waits;
  if (what.apply->source) made->derived.emplace_back(*what.apply->source, what.judged);
  return done();
}

void replica_host::carry_out(part& of, std::unique_ptr<counted> one, told& out) {
  const auto done = store_.apply(one->write);
  if (!done && done.error().code == codes::storage_full) {
    // What counts cannot be left out, and nobody waits here for room.
    disk_full_ = true;
    if (!std::exchange(of.no_room_told, true))
      log(log_level::error, "cluster.no_room",
          {{"partition", of.number}, {"what", done.error().detail}});
    of.aside = std::move(one);
    of.halted = true;
    return;
  }
  disk_full_ = of.no_room_told = false;
  if (!done && done.error().code.starts_with("storage."))
    return stop(of, cluster::reason::facts_unreadable, done.error().detail, out);
  out.derived.insert(out.derived.end(), one->derived.begin(), one->derived.end());
  if (done && one->documents_wait) of.rows.note_waiting();
  if (!done) {
    out.refused = done.error();
    out.refused_at = one->offset;
  } else if (one->write.append) {
    auto& op = std::get<storage::append_op>(one->body);
    const event_id last{one->write.epoch, op.expected_seq + op.events.size()};
    out.applied.push_back({std::move(op), last});
  }
  take(of, one->then, out);
}

// The first that is kept aside looks for room; once there is some, all of them go on.
void replica_host::try_again(part& of, std::int64_t now_ms, told& out) {
  consumer_->halt(of.number);
  if (disk_full_ && now_ms - room_looked_for_ms_ < room_looked_for_every_ms) return;
  room_looked_for_ms_ = now_ms;
  carry_out(of, std::move(of.aside), out);
  if (of.aside || of.replica->stopped()) return;
  of.halted = false;
  if (!consumer_->begin(of.number, of.replica->state().next))
    doubt(of, "the log cannot be read on", true);
}

}  // namespace soma::replication
