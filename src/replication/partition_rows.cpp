#include "replication/partition_rows.hpp"

#include <algorithm>

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
  const auto row = number_in(store_.row(named('v').append(collection).append(1, '\0').append(key)));
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
  tag.row = static_cast<std::uint32_t>(in.number(UINT32_MAX));
  if (!in.all_taken()) return damaged();
  return std::optional(tag);
}

result<cluster::partition_state> partition_rows::state() const {
  const auto row = store_.row(named('p'));
  if (!row) return row.error();
  return *row ? cluster::decode_partition_state(**row)
              : result<cluster::partition_state>(cluster::partition_state{});
}

std::pair<std::string, std::string> partition_rows::place(
    const cluster::partition_state& state) const {
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
    const auto name = named('v').append(d.collection).append(1, '\0').append(d.key);
    out.emplace_back(name, d.value ? std::optional(number_row(static_cast<std::uint64_t>(offset)))
                                   : std::nullopt);
  }
  if (one.source) {
    auto name = named('s');
    put_fixed(name, one.source->partition, 4);
    std::string bytes;
    packed_writer tag(bytes);
    tag.sign_and_number(one.source->offset);
    tag.number(one.source->row);
    out.emplace_back(std::move(name), std::move(bytes));
  }
  return out;
}

}  // namespace soma::replication
