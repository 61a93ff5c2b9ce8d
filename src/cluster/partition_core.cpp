#include "cluster/partition_core.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "cluster/packed_bytes.hpp"
#include "cluster/planted_bug.hpp"
#include "core/checksum.hpp"
#include "core/codes.hpp"

namespace soma::cluster {
namespace {

judgement voided(reason why) {
  return {.what = verdict::voided, .why = why};
}
judgement refused(reason why, std::uint64_t seq = 0) {
  return {.what = verdict::refused, .why = why, .seq = seq};
}
judgement stopped(reason why, std::string detail) {
  return {.what = verdict::stopped, .why = why, .detail = std::move(detail)};
}

// What was judged is part of the history: two readers that differ in it differ from there on.
std::uint64_t outcome_sum(const judgement& of) {
  return mixed(static_cast<std::uint64_t>(of.why), of.seq);
}

// Where a check before it is left out on purpose, these would find what that lets through.
bool compares_histories() {
  return !planted(planted_bug::digests_are_not_compared) &&
         !planted(planted_bug::epochs_are_identity) && !planted(planted_bug::gaps_count) &&
         !planted(planted_bug::older_claims_count);
}

// Whoever wrote it counted a claim that is not among those read here.
judgement never_read() {
  return stopped(reason::digest_differs, "a record names a claim that this reader has never read");
}

judgement unreadable(const error& e) {
  return stopped(reason::facts_unreadable, e.detail);
}

bool expired(const kept_key& kept, const key_use& fresh, std::int64_t time_ms) {
  return kept.time_ms <= time_ms - fresh.ttl_ms;
}

// ---- atoms ----

judgement judge_documents(const partition_facts& facts, const atom& one, judgement otherwise) {
  for (const auto& document : one.documents) {
    if (!document.expected || planted(planted_bug::versions_are_not_compared)) continue;
    const auto there = facts.version(document.collection, document.key);
    if (!there) return unreadable(there.error());
    if (there->value_or(nowhere) != *document.expected) return refused(reason::version_differs);
  }
  return otherwise;
}

judgement judge_session(const partition_facts& facts, std::uint32_t epoch, const atom& one) {
  if (one.session.session.empty()) return judge_documents(facts, one, {});
  if (one.epoch != epoch) return refused(reason::epoch_differs);
  const auto head = facts.head(one.session);
  if (!head) return unreadable(head.error());
  if (head->gone && !planted(planted_bug::the_gone_come_again))
    return refused(reason::session_gone, head->seq);
  if (one.expected && *one.expected != head->seq && !planted(planted_bug::heads_are_not_compared))
    return refused(reason::head_differs, head->seq);
  return judge_documents(facts, one, {.seq = head->seq + one.events});
}

judgement judge_atom(const partition_facts& facts, std::uint32_t epoch, std::int64_t time_ms,
                     const atom& one) {
  if (one.source && !planted(planted_bug::sources_are_not_compared)) {
    const auto last = facts.last_of(one.source->partition);
    if (!last) return unreadable(last.error());
    const auto before = *last ? (**last).offset : nowhere;
    if (one.source->offset <= before) return refused(reason::source_seen);
    if (one.source->after != before && !planted(planted_bug::sources_leave_holes))
      return refused(reason::source_hole);
  }
  if (!planted(planted_bug::keys_are_overwritten)) {
    for (const auto& use : one.keys) {
      auto kept = facts.key(use.key);
      if (!kept) return unreadable(kept.error());
      if (!*kept || expired(**kept, use, time_ms)) continue;
      auto exists = refused(reason::key_exists);
      exists.kept = std::move(**kept);
      return exists;
    }
  }
  return judge_session(facts, epoch, one);
}

// ---- records ----

judgement take(partition_state& state, const partition_facts&, log_offset offset,
               const read_record& read, const born& one) {
  if (!state.changelog.empty()) return voided(reason::born_before);
  if (one.format > format_newest)
    return stopped(reason::format_unknown, "the log is written in a format of a newer program");
  if (one.changelog.empty()) return stopped(reason::unreadable, "the log has no name");
  state.changelog = one.changelog;
  state.partition = one.partition;
  state.partitions = one.partitions;
  state.format = one.format;
  state.epoch = one.epoch;
  state.claim = offset;
  state.digest = state.claim_digest = mixed(read.sum, static_cast<std::uint64_t>(offset));
  return {};
}

judgement take(partition_state& state, const partition_facts&, log_offset offset,
               const read_record& read, const claim& one) {
  if (state.changelog.empty()) return voided(reason::not_born);
  // Looked at before the rest: a reader of a topic that was made anew would find all of it void.
  if (one.changelog != state.changelog)
    return stopped(reason::other_changelog, "the claim is of another log than the one read so far");
  const bool by_epoch = planted(planted_bug::epochs_are_identity);
  if (compares_histories() && one.replaces > state.claim) return never_read();
  if (one.replaces != state.claim && !by_epoch) return voided(reason::replaces_older);
  if (read.one.format > state.format) return voided(reason::format_not_opened);
  if (compares_histories() && (one.digest != state.claim_digest || one.epoch != state.epoch + 1))
    return stopped(reason::digest_differs, "who claims has read another log than this reader");
  state.claim = offset;
  state.epoch = by_epoch ? one.epoch : state.epoch + 1;
  state.owner = one.owner;
  state.incarnation = one.incarnation;
  state.released = false;
  state.released_to.clear();
  state.n = 0;
  state.digest = mixed(mixed(mixed(state.digest, state.outcomes), read.sum),
                       static_cast<std::uint64_t>(offset));
  state.claim_digest = state.digest;
  state.outcomes = 0;
  return {};
}

judgement judge(const partition_state& state, const partition_facts& facts, const read_record& read,
                const owned& one) {
  if (state.changelog.empty()) return voided(reason::not_born);
  if (compares_histories() && one.claim > state.claim) return never_read();
  if (planted(planted_bug::epochs_are_identity)) {
    const auto* what = std::get_if<atom>(&one.what);
    if (what && what->epoch != state.epoch) return voided(reason::of_older_claim);
  } else if (!planted(planted_bug::older_claims_count)) {
    if (state.owner.empty() || one.claim != state.claim) return voided(reason::of_older_claim);
    if (state.released) return voided(reason::was_released);
  }
  if (one.n != state.n + 1 && !planted(planted_bug::gaps_count) &&
      !planted(planted_bug::older_claims_count))
    return voided(reason::gap_or_copy);
  if (read.one.format > state.format) return voided(reason::format_not_opened);
  if (compares_histories() && one.digest != state.digest)
    return stopped(reason::digest_differs, "the owner has read another log than this reader");
  if (const auto* opened = std::get_if<format_opened>(&one.what);
      opened && opened->format > format_newest)
    return stopped(reason::format_unknown, "from here on the log is of a newer program");
  if (const auto* what = std::get_if<atom>(&one.what))
    return judge_atom(facts, state.epoch, std::max(state.time_ms, one.time_ms), *what);
  return {};
}

judgement take(partition_state& state, const partition_facts& facts, log_offset,
               const read_record& read, const owned& one) {
  auto judged = judge(state, facts, read, one);
  if (judged.what == verdict::voided || judged.what == verdict::stopped) return judged;
  state.n = one.n;
  state.time_ms =
      planted(planted_bug::time_goes_back) ? one.time_ms : std::max(state.time_ms, one.time_ms);
  state.digest = digest_behind(state.digest, read.sum);
  state.outcomes = mixed(state.outcomes, outcome_sum(judged));
  if (const auto* last = std::get_if<release>(&one.what)) {
    state.released = true;
    state.released_to = last->to;
  }
  if (const auto* opened = std::get_if<format_opened>(&one.what))
    state.format = std::max(state.format, opened->format);
  return judged;
}

}  // namespace

std::uint64_t digest_behind(std::uint64_t digest, std::uint64_t record_sum) {
  return mixed(digest, record_sum);
}

bool passes_source(const judgement& judged) {
  return judged.what == verdict::refused && judged.why != reason::source_seen &&
         judged.why != reason::source_hole && !planted(planted_bug::the_refused_block_their_source);
}

judgement apply(partition_state& state, const partition_facts& facts, log_offset offset,
                const read_record& one) {
  if (offset < state.next) return voided(reason::read_before);
  auto judged = std::visit([&](const auto& what) { return take(state, facts, offset, one, what); },
                           one.one.what);
  if (judged.what == verdict::stopped) return judged;
  state.next = offset + 1;
  state.last = offset;
  state.last_sum = one.sum;
  return judged;
}

judgement apply(partition_state& state, const partition_facts& facts, log_offset offset,
                std::string_view bytes) {
  const auto read = decode(bytes);
  if (read) return apply(state, facts, offset, *read);
  return stopped(
      read.error().code == codes::storage_format ? reason::format_unknown : reason::unreadable,
      read.error().detail);
}

bool same_log(const partition_state& state, log_offset offset, std::string_view bytes) {
  if (state.last == nowhere) return true;
  const auto read = decode(bytes);
  return read && offset == state.last && read->sum == state.last_sum;
}

std::string_view to_string(reason why) {
  static constexpr std::array<std::string_view, 21> names = {
      "none",           "read_before",      "not_born",
      "born_before",    "replaces_older",   "of_older_claim",
      "was_released",   "gap_or_copy",      "format_not_opened",
      "key_exists",     "source_seen",      "epoch_differs",
      "head_differs",   "session_gone",     "version_differs",
      "unreadable",     "format_unknown",   "other_changelog",
      "digest_differs", "facts_unreadable", "source_hole",
  };
  const auto at = static_cast<std::size_t>(why);
  return at < names.size() ? names[at] : "?";
}

// ---- the state, stored ----

namespace {
constexpr std::uint64_t state_version = 1;
}

std::string encode(const partition_state& state) {
  const auto& [changelog, partition, partitions, format, next, claim, epoch, owner, incarnation,
               released, released_to, n, time_ms, digest, claim_digest, outcomes, last, last_sum] =
      state;
  std::string rest;
  packed_writer out(rest);
  out.number(state_version);
  out.text(changelog);
  out.number(partition);
  out.number(partitions);
  out.number(format);
  out.sign_and_number(next);
  out.sign_and_number(claim);
  out.number(epoch);
  out.text(owner);
  out.text(incarnation);
  out.number(released);
  out.text(released_to);
  out.number(n);
  out.sign_and_number(time_ms);
  for (const auto word : {digest, claim_digest, outcomes, last_sum}) out.word(word);
  out.sign_and_number(last);
  std::string bytes;
  packed_writer(bytes).word(checksum(rest));
  return bytes + rest;
}

result<partition_state> decode_partition_state(std::string_view bytes) {
  const error damaged{codes::storage_corrupt, "what is known of the partition is damaged"};
  if (bytes.size() < 9 || packed_reader(bytes).word() != checksum(bytes.substr(8))) return damaged;
  packed_reader in(bytes.substr(8));
  if (in.number() != state_version)
    return error(codes::storage_format, "what is known of the partition is of another version");
  partition_state state;
  state.changelog = in.text();
  state.partition = static_cast<std::uint32_t>(in.number(UINT32_MAX));
  state.partitions = static_cast<std::uint32_t>(in.number(UINT32_MAX));
  state.format = static_cast<std::uint16_t>(in.number(UINT16_MAX));
  state.next = in.sign_and_number();
  state.claim = in.sign_and_number();
  state.epoch = static_cast<std::uint32_t>(in.number(UINT32_MAX));
  state.owner = in.text();
  state.incarnation = in.text();
  state.released = in.flag();
  state.released_to = in.text();
  state.n = in.number();
  state.time_ms = in.sign_and_number();
  for (auto* word : {&state.digest, &state.claim_digest, &state.outcomes, &state.last_sum})
    *word = in.word();
  state.last = in.sign_and_number();
  if (!in.all_taken()) return damaged;
  return state;
}

}  // namespace soma::cluster
