#include "replication/partition_rows.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/document_order.hpp"
#include "cluster/packed_bytes.hpp"
#include "core/codes.hpp"

namespace soma::replication {
namespace {

using cluster::packed_reader;
using cluster::packed_writer;

constexpr std::size_t forgotten_at_once = 4;  // old keys, with each atom that brings some

void put_fixed(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift & 0xFF);
}

std::uint64_t fixed(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string number_row(std::uint64_t value) {
  std::string bytes;
  packed_writer(bytes).number(value);
  return bytes;
}

error damaged() {
  return error(codes::storage_corrupt, "a row of what is known of a partition cannot be read");
}

result<std::optional<std::uint64_t>> number_in(const result<std::optional<std::string>>& row) {
  if (!row) return row.error();
  if (!*row) return std::optional<std::uint64_t>();
  packed_reader in(**row);
  const auto value = in.number();
  if (!in.all_taken()) return damaged();
  return std::optional(value);
}

std::string of_session(const session_key& key) {
  return key.tenant.value + '\0' + key.session.value;
}

std::string waiting_row(std::uint32_t partition, cluster::log_offset offset) {
  std::string name = "d";
  put_fixed(name, partition, 4);
  put_fixed(name, static_cast<std::uint64_t>(offset), 8);
  return name;
}

std::string encode_key(const cluster::kept_key& kept) {
  std::string bytes;
  packed_writer out(bytes);
  out.text(kept.session.tenant.value);
  out.text(kept.session.session.value);
  out.number(kept.seq);
  out.sign_and_number(kept.time_ms);
  out.sign_and_number(kept.offset);
  return bytes;
}

std::optional<cluster::kept_key> decode_key(std::string_view bytes) {
  packed_reader in(bytes);
  cluster::kept_key kept;
  kept.session.tenant = tenant_id(in.text());
  kept.session.session = session_id(in.text());
  kept.seq = in.number();
  kept.time_ms = in.sign_and_number();
  kept.offset = in.sign_and_number();
  if (!in.all_taken()) return std::nullopt;
  return kept;
}

}  // namespace

std::string partition_rows::named(char kind) const {
  std::string key(1, kind);
  put_fixed(key, partition_, 4);
  return key;
}

std::string partition_rows::version_row(std::string_view collection, std::string_view key) const {
  return named('v').append(collection).append(1, '\0').append(key);
}

result<cluster::known_head> partition_rows::head(const session_key& session) const {
  const auto seq = store_.head_seq(session);
  if (!seq) return seq.error();
  if (*seq) return cluster::known_head{**seq, false};
  const auto gone = number_in(store_.row(named('g') + of_session(session)));
  if (!gone) return gone.error();
  return *gone ? cluster::known_head{**gone, true} : cluster::known_head{};
}

result<std::optional<cluster::kept_key>> partition_rows::key(std::string_view key) const {
  const auto row = store_.row(named('k').append(key));
  if (!row) return row.error();
  if (!*row) return std::optional<cluster::kept_key>();
  auto kept = decode_key(**row);
  if (!kept) return damaged();
  return kept;
}

result<std::optional<cluster::log_offset>> partition_rows::version(std::string_view collection,
                                                                   std::string_view key) const {
  const auto row = number_in(store_.row(version_row(collection, key)));
  if (!row) return row.error();
  if (!*row) return std::optional<cluster::log_offset>();
  return std::optional(static_cast<cluster::log_offset>(**row));
}

result<std::optional<cluster::source_tag>> partition_rows::last_of(std::uint32_t source) const {
  auto name = named('s');
  put_fixed(name, source, 4);
  const auto row = store_.row(name);
  if (!row) return row.error();
  if (!*row) return std::optional<cluster::source_tag>();
  packed_reader in(**row);
  cluster::source_tag tag;
  tag.partition = source;
  tag.offset = in.sign_and_number();
  tag.after = in.sign_and_number();
  if (!in.all_taken()) return damaged();
  return std::optional(tag);
}

result<cluster::partition_state> partition_rows::state() const {
  const auto row = store_.row(named('p'));
  if (!row) return row.error();
  auto state = *row ? cluster::decode_partition_state(**row)
                    : result<cluster::partition_state>(cluster::partition_state{});
  if (state) time_ms_ = state->time_ms;
  return state;
}

std::pair<std::string, std::string> partition_rows::place(
    const cluster::partition_state& state) const {
  time_ms_ = state.time_ms;
  return {named('p'), encode(state)};
}

// Rows that no judgement looks at any more; which of them are still there is all the same.
result<void> partition_rows::forget_old_keys(std::int64_t time_ms, row_changes& out) const {
  const auto ages = named('a');
  const auto oldest = store_.rows(ages, forgotten_at_once);
  if (!oldest) return oldest.error();
  for (const auto& [row, value] : *oldest) {
    if (row.size() < ages.size() + 8) return damaged();
    const auto at_ms = static_cast<std::int64_t>(fixed(row.substr(ages.size(), 8)));
    if (at_ms > time_ms - keys_kept_ms) break;
    out.emplace_back(row, std::nullopt);
    const auto used = key(row.substr(ages.size() + 8));
    if (!used) return used.error();
    // One that was used anew has a younger row as well.
    if (*used && (*used)->time_ms == at_ms)
      out.emplace_back(named('k') + row.substr(ages.size() + 8), std::nullopt);
  }
  return {};
}

result<partition_rows::row_changes> partition_rows::changes(
    const cluster::partition_state& state, cluster::log_offset offset, const cluster::atom& one,
    const cluster::judgement& judged) const {
  row_changes out;
  if (!one.session.session.empty() && one.removes)
    out.emplace_back(named('g') + of_session(one.session), number_row(judged.seq));
  if (!one.keys.empty())
    if (auto done = forget_old_keys(state.time_ms, out); !done) return done.error();
  for (const auto& use : one.keys) {
    out.emplace_back(named('k') + use.key,
                     encode_key({one.session, judged.seq, state.time_ms, offset}));
    auto age = named('a');
    put_fixed(age, static_cast<std::uint64_t>(std::max<std::int64_t>(state.time_ms, 0)), 8);
    out.emplace_back(age + use.key, std::string());
  }
  for (const auto& d : one.documents) {
    if (d.only_looked_at) continue;
    out.emplace_back(
        version_row(d.collection, d.key),
        d.value ? std::optional(number_row(static_cast<std::uint64_t>(offset))) : std::nullopt);
  }
  if (one.source) pass(*one.source, out);
  return out;
}

void partition_rows::pass(const cluster::source_tag& tag, row_changes& out) const {
  auto name = named('s');
  put_fixed(name, tag.partition, 4);
  std::string bytes;
  packed_writer packed(bytes);
  packed.sign_and_number(tag.offset);
  packed.sign_and_number(tag.after);
  out.emplace_back(std::move(name), std::move(bytes));
  out.emplace_back(waiting_row(tag.partition, tag.offset), std::nullopt);
}

// ---- documents ----

result<bool> partition_rows::order_documents(const partition_rows& documents,
                                             cluster::log_offset offset, atom_body& body,
                                             storage::judged_write& write) const {
  auto* append = std::get_if<storage::append_op>(&body);
  auto* plain = std::get_if<tenant_rows>(&body);
  for (auto& record : append ? append->idempotency : write.idempotency)
    record.created_at_ms = time_ms_;
  if (partition_ == documents.partition_) {
    if (std::holds_alternative<carried_atom>(body)) return damaged();
    row_changes first, last;
    for (const auto& g : append ? append->gone : write.gone) {
      const auto there = store_.rows(version_row(g.collection, g.prefix), SIZE_MAX);
      if (!there) return there.error();
      for (const auto& [row, value] : *there) first.emplace_back(row, std::nullopt);
    }
    if (append)
      for (const auto& d : append->documents)
        last.emplace_back(version_row(d.collection, d.key),
                          number_row(static_cast<std::uint64_t>(offset)));
    write.rows.insert(write.rows.begin(), std::make_move_iterator(first.begin()),
                      std::make_move_iterator(first.end()));
    write.rows.insert(write.rows.end(), std::make_move_iterator(last.begin()),
                      std::make_move_iterator(last.end()));
    return false;
  }
  cluster::atom derived;
  if (auto* carried = std::get_if<carried_atom>(&body)) {
    derived = std::move(carried->what);
  } else if (append) {
    for (auto& d : append->documents)
      derived.documents.push_back({d.collection, d.key, std::nullopt, std::move(d.value)});
    const tenant_rows rest{{}, std::move(append->outbox), std::move(append->gone)};
    append->documents.clear();
    append->outbox.clear();
    append->gone.clear();
    if (derived.documents.empty() && rest.outbox.empty() && rest.gone.empty()) return false;
    derived.body = encode_rows(rest);
  } else if (plain && !(write.documents.empty() && write.outbox.empty())) {
    return damaged();  // nobody writes documents there but in these ways
  } else {
    return false;
  }
  const auto still = cluster::waits(documents, partition_, offset);
  if (!still) return still.error();
  if (!*still) return false;
  write.rows.emplace_back(waiting_row(partition_, offset), encode_atom(derived));
  note_waiting();
  return true;
}

result<std::vector<std::pair<cluster::log_offset, cluster::atom>>> partition_rows::waiting(
    cluster::log_offset after, std::size_t limit) const {
  std::vector<std::pair<cluster::log_offset, cluster::atom>> out;
  const auto prefix = named('d');
  const auto behind = after == cluster::nowhere ? std::string() : waiting_row(partition_, after);
  const auto found = store_.rows(prefix, limit, behind);
  if (!found) return found.error();
  for (const auto& [row, bytes] : *found) {
    if (row.size() != prefix.size() + 8) return damaged();
    auto one = decode_atom(bytes);
    if (!one) return one.error();
    out.emplace_back(static_cast<cluster::log_offset>(fixed(row.substr(prefix.size()))),
                     std::move(*one));
  }
  return out;
}

}  // namespace soma::replication
