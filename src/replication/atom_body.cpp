#include "replication/atom_body.hpp"

#include <utility>

#include "cluster/packed_bytes.hpp"
#include "cluster/record_codec.hpp"
#include "core/codes.hpp"

namespace soma::replication {
namespace {

using cluster::packed_reader;
using cluster::packed_writer;

constexpr std::uint64_t body_format = 1;
enum class kind : std::uint64_t {
  append = 1,
  rows = 2,
  stage = 3,
  discard = 4,
  rows_and_gone = 5,
  carried = 6
};
constexpr std::uint64_t has_info = 1, has_compact_seq = 2, has_first_seq = 4, removes = 8,
                        publishes_staged = 16, has_snapshot = 32, all_flags = 63;
constexpr std::uint64_t paused = 1, busy = 2, visible_to_tenant = 4, all_info_flags = 7;

// One of the flags, where it is so.
constexpr std::uint64_t flag_if(bool so, std::uint64_t flag) {
  return so ? flag : 0;
}

// ---- writing ----

std::string begin(kind what) {
  std::string bytes;
  packed_writer out(bytes);
  out.number(body_format);
  out.number(static_cast<std::uint64_t>(what));
  return bytes;
}

void put(packed_writer& out, const std::vector<storage::encoded_event>& events) {
  out.number(events.size());
  out.number(events.empty() ? 0 : events.front().seq);  // dense from there
  for (const auto& e : events) {
    out.number(static_cast<std::uint64_t>(e.type));
    out.text(e.json);
  }
}

void put(packed_writer& out, const storage::session_info& info) {
  out.text(info.title);
  out.text(info.persona_id);
  out.text(info.user_id);
  out.sign_and_number(info.created_at_ms);
  out.sign_and_number(info.updated_at_ms);
  out.number(info.message_count);
  out.number(flag_if(info.paused, paused) | flag_if(info.busy, busy) |
             flag_if(info.sharing.visible_to_tenant, visible_to_tenant));
  out.number(info.sharing.users.size());
  for (const auto& user : info.sharing.users) out.text(user);
}

void put(packed_writer& out, const std::vector<storage::idempotency_record>& records) {
  out.number(records.size());
  for (const auto& r : records) {
    out.text(r.key);
    out.text(r.request_hash);
    out.sign_and_number(r.status);
    out.text(r.response_json);
    out.sign_and_number(r.created_at_ms);
  }
}

void put(packed_writer& out, const std::vector<storage::outbox_row>& rows) {
  out.number(rows.size());
  for (const auto& row : rows) {
    out.text(row.sink);
    out.text(row.payload);
  }
}

void put(packed_writer& out, const session_key& key) {
  out.text(key.tenant.value);
  out.text(key.session.value);
}

// ---- reading ----

std::vector<storage::encoded_event> events_of(packed_reader& in) {
  std::vector<storage::encoded_event> events;
  const auto count = in.count();
  const auto first = in.number();
  for (std::size_t n = 0; n < count && in.good(); ++n) {
    const auto type = in.number(event_type_max);
    if (type == 0) in.fail();
    events.push_back({first + n, static_cast<event_type>(type), in.text()});
  }
  return events;
}

storage::session_info info_of(packed_reader& in) {
  storage::session_info info;
  info.title = in.text();
  info.persona_id = in.text();
  info.user_id = in.text();
  info.created_at_ms = in.sign_and_number();
  info.updated_at_ms = in.sign_and_number();
  info.message_count = in.number();
  const auto flags = in.number(all_info_flags);
  info.paused = flags & paused;
  info.busy = flags & busy;
  info.sharing.visible_to_tenant = flags & visible_to_tenant;
  for (auto left = in.count(); left > 0 && in.good(); --left)
    info.sharing.users.push_back(in.text());
  return info;
}

std::vector<storage::idempotency_record> records_of(packed_reader& in) {
  std::vector<storage::idempotency_record> records;
  for (auto left = in.count(); left > 0 && in.good(); --left) {
    storage::idempotency_record r;
    r.key = in.text();
    r.request_hash = in.text();
    r.status = static_cast<int>(in.sign_and_number());
    r.response_json = in.text();
    r.created_at_ms = in.sign_and_number();
    records.push_back(std::move(r));
  }
  return records;
}

std::vector<storage::outbox_row> outbox_of(packed_reader& in) {
  std::vector<storage::outbox_row> rows;
  for (auto left = in.count(); left > 0 && in.good(); --left) {
    storage::outbox_row row;
    row.sink = in.text();
    row.payload = in.text();
    rows.push_back(std::move(row));
  }
  return rows;
}

void put(packed_writer& out, const std::vector<storage::documents_gone>& gone) {
  out.number(gone.size());
  for (const auto& g : gone) {
    out.text(g.collection);
    out.text(g.prefix);
  }
}

std::vector<storage::documents_gone> gone_of(packed_reader& in) {
  std::vector<storage::documents_gone> all;
  for (auto left = in.count(); left > 0 && in.good(); --left) {
    storage::documents_gone gone;
    gone.collection = in.text();
    gone.prefix = in.text();
    all.push_back(std::move(gone));
  }
  return all;
}

session_key key_of(packed_reader& in) {
  session_key key;
  key.tenant = tenant_id(in.text());
  key.session = session_id(in.text());
  return key;
}

storage::append_op append_of(packed_reader& in, const session_key& session, std::uint32_t epoch) {
  storage::append_op op;
  op.key = session;
  op.epoch = epoch;
  const auto flags = in.number(all_flags);
  op.expected_seq = in.number();
  op.events = events_of(in);
  if (flags & has_info) op.info = info_of(in);
  if (flags & has_compact_seq) op.compact_seq = in.number();
  if (flags & has_first_seq) op.first_seq = in.number();
  op.remove = flags & removes;
  op.publish_staged = flags & publishes_staged;
  op.idempotency = records_of(in);
  op.outbox = outbox_of(in);
  op.gone = gone_of(in);
  for (auto left = in.count(); left > 0 && in.good(); --left) {
    storage::document_row row;
    row.collection = in.text();
    row.key = in.text();
    row.value = in.text();
    op.documents.push_back(std::move(row));
  }
  if (flags & has_snapshot) op.snapshot = in.text();
  // The events are those behind the head that is expected, whatever they say.
  if (!op.events.empty() && op.events.front().seq != op.expected_seq + 1) in.fail();
  return op;
}

}  // namespace

std::string encode_append(const storage::append_op& op) {
  auto bytes = begin(kind::append);
  packed_writer out(bytes);
  out.number(flag_if(op.info.has_value(), has_info) |
             flag_if(op.compact_seq.has_value(), has_compact_seq) |
             flag_if(op.first_seq.has_value(), has_first_seq) | flag_if(op.remove, removes) |
             flag_if(op.publish_staged, publishes_staged) |
             flag_if(op.snapshot.has_value(), has_snapshot));
  out.number(op.expected_seq);
  put(out, op.events);
  if (op.info) put(out, *op.info);
  if (op.compact_seq) out.number(*op.compact_seq);
  if (op.first_seq) out.number(*op.first_seq);
  put(out, op.idempotency);
  put(out, op.outbox);
  put(out, op.gone);
  out.number(op.documents.size());
  for (const auto& d : op.documents) {
    out.text(d.collection);
    out.text(d.key);
    out.text(d.value);
  }
  if (op.snapshot) out.text(*op.snapshot);
  return bytes;
}

std::string encode_rows(const tenant_rows& rows) {
  auto bytes = begin(rows.gone.empty() ? kind::rows : kind::rows_and_gone);
  packed_writer out(bytes);
  put(out, rows.idempotency);
  put(out, rows.outbox);
  if (!rows.gone.empty()) put(out, rows.gone);
  return bytes;
}

std::string encode_stage(const storage::staged_events& staged) {
  auto bytes = begin(kind::stage);
  packed_writer out(bytes);
  put(out, staged.key);
  put(out, staged.events);
  return bytes;
}

std::string encode_discard(const session_key& key) {
  auto bytes = begin(kind::discard);
  packed_writer out(bytes);
  put(out, key);
  return bytes;
}

std::string encode_carried(const cluster::atom& what) {
  auto bytes = begin(kind::carried);
  packed_writer(bytes).text(encode_atom(what));
  return bytes;
}

// As a record of no claim: there is one way to write an atom.
std::string encode_atom(const cluster::atom& what) {
  return cluster::encode({cluster::format_newest, cluster::owned{0, 0, 0, 0, what}});
}

result<cluster::atom> decode_atom(std::string_view bytes) {
  auto read = cluster::decode(bytes);
  if (!read) return read.error();
  auto* under = std::get_if<cluster::owned>(&read->one.what);
  auto* what = under ? std::get_if<cluster::atom>(&under->what) : nullptr;
  if (!what) return error(codes::storage_corrupt, "what waits for its place is no atom");
  return std::move(*what);
}

result<atom_body> decode_body(std::string_view bytes, const session_key& session,
                              std::uint32_t epoch) {
  packed_reader in(bytes);
  const auto format = in.number();
  const auto what = in.number();
  const error newer{codes::storage_format, "what an atom changes is written by a newer program"};
  if (in.good() && format != body_format) return newer;
  atom_body body;
  switch (static_cast<kind>(what)) {
    case kind::append: body = append_of(in, session, epoch); break;
    case kind::rows:
    case kind::rows_and_gone: {
      tenant_rows rows;
      rows.idempotency = records_of(in);
      rows.outbox = outbox_of(in);
      if (static_cast<kind>(what) == kind::rows_and_gone) rows.gone = gone_of(in);
      body = std::move(rows);
      break;
    }
    case kind::stage: {
      storage::staged_events staged;
      staged.key = key_of(in);
      staged.events = events_of(in);
      body = std::move(staged);
      break;
    }
    case kind::discard: body = discarded_stage{key_of(in)}; break;
    case kind::carried: {
      auto carried = decode_atom(in.text());
      if (!carried) return carried.error();
      body = carried_atom{std::move(*carried)};
      break;
    }
    default:
      if (in.good()) return newer;
  }
  if (!in.all_taken()) return error(codes::storage_corrupt, "what an atom changes cannot be read");
  return body;
}

}  // namespace soma::replication
