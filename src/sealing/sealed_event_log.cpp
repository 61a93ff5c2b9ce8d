#include "sealing/sealed_event_log.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "core/codes.hpp"
#include "observability/log.hpp"
#include "sealing/value_places.hpp"
#include "storage/head_rules.hpp"

namespace soma::sealing {

using namespace storage;

namespace {

using security::is_sealed;
using security::seal_overhead_bytes;
using security::value_key;

// Texts of people, or what is made of them (a vector). Not memory.ids, memory.texts and the like,
// which only name rows.
constexpr std::array<std::string_view, 5> collections = {"dlq", "feedback", "memory",
                                                         "memory.documents", "memory.vectors"};

// Those that beside these begin with a tenant: of one that was erased nothing is shown of them.
constexpr std::array<std::string_view, 4> hidden_collections = {
    "memory.documents_gone", "memory.ids", "memory.texts", "memory.uses"};

bool hides(std::string_view collection) {
  return sealed_collection(collection) ||
         std::find(hidden_collections.begin(), hidden_collections.end(), collection) !=
             hidden_collections.end();
}

error does_not_open(std::string what) {
  return {codes::storage_corrupt,
          std::move(what) + " does not open with its tenant's key: it was changed or moved"};
}

// The first part of a document's or a record's key; empty where it has but one.
std::string_view tenant_of(std::string_view key) {
  const auto end = key.find('\n');
  return end == key.npos ? std::string_view() : key.substr(0, end);
}

std::string snapshot_place(const session_key& key) {
  return "s" + key.tenant.value + '\0' + key.session.value;
}
std::string record_place(std::string_view key, char part) {
  return std::string("i") + part + std::string(key);
}
std::string document_place(std::string_view collection, std::string_view key) {
  return "d" + std::string(collection) + '\0' + std::string(key);
}

// A copy with room for what sealing adds.
std::string with_room(std::string_view value) {
  std::string out;
  out.reserve(value.size() + seal_overhead_bytes);
  out = value;
  return out;
}

encoded_event with_room(const encoded_event& e) {
  return {e.seq, e.type, with_room(e.json)};
}

}  // namespace

bool sealed_collection(std::string_view collection) {
  return std::find(collections.begin(), collections.end(), collection) != collections.end();
}

// ---- one value ----

result<void> sealed_event_log::seal(const tenant_id& tenant, const key_of_values& key,
                                    std::string& value, std::string_view bound_to) const {
  if (key) {
    key->seal(value, bound_to);
    return {};
  }
  if (!is_sealed(value)) return {};
  // It only looks so, and would be taken for one.
  if (const auto known = keys_.for_reading(tenant)) (*known)->seal(value, bound_to);
  return {};
}

result<void> sealed_event_log::open_value(const tenant_id& tenant, std::string& value,
                                          std::string_view bound_to) const {
  if (!is_sealed(value)) return {};
  const auto key = keys_.for_reading(tenant);
  if (!key) return key.error();
  return (*key)->unseal(value, bound_to) ? result<void>() : does_not_open("a stored value");
}

void sealed_event_log::open_title(const tenant_id& tenant, session_info& info) const {
  if (is_sealed(info.title) && !open_value(tenant, info.title, title_place(tenant, info)))
    info.title.clear();
}

result<void> sealed_event_log::refuse_erased(const tenant_id& tenant) const {
  if (!keys_.erased(tenant)) return {};
  return keys_.for_reading(tenant).error();
}

result<void> sealed_event_log::seal_document(std::string_view collection, std::string_view key,
                                             std::string& value) {
  if (!sealed_collection(collection) || value.empty()) return {};
  const tenant_id tenant{std::string(tenant_of(key))};
  if (tenant.empty()) return {};
  const auto by = keys_.for_writing(tenant);
  if (!by) return by.error();
  return seal(tenant, *by, value, document_place(collection, key));
}

// ---- what is written ----

result<idempotency_record> sealed_event_log::sealed(const idempotency_record& record) {
  auto out = record;
  const tenant_id tenant{std::string(tenant_of(record.key))};
  if (tenant.empty()) return out;
  const auto by = keys_.for_writing(tenant);
  if (!by) return by.error();
  if (auto done = seal(tenant, *by, out.request_hash, record_place(record.key, 'h')); !done)
    return done.error();
  if (auto done = seal(tenant, *by, out.response_json, record_place(record.key, 'a')); !done)
    return done.error();
  return out;
}

template <class Row, class Seal>
result<std::vector<Row>> sealed_event_log::sealed_rows(std::span<const Row> rows, Seal seal) {
  std::vector<Row> out;
  out.reserve(rows.size());
  std::optional<error> erased;
  for (const auto& row : rows) {
    auto one = row;
    auto done = seal(one);
    if (!done && done.error().code != codes::tenant_erased) return done.error();
    if (done)
      out.push_back(std::move(one));
    else
      erased = done.error();
  }
  if (erased && out.empty()) return *erased;
  return out;
}

result<std::vector<document_row>> sealed_event_log::sealed(std::span<const document_row> rows) {
  return sealed_rows(
      rows, [&](document_row& row) { return seal_document(row.collection, row.key, row.value); });
}

result<append_op> sealed_event_log::sealed(const append_op& op) {
  const auto& tenant = op.key.tenant;
  const auto by = keys_.for_writing(tenant);
  if (!by) return by.error();
  append_op out;
  out.key = op.key;
  out.expected_seq = op.expected_seq;
  out.info = op.info;
  out.compact_seq = op.compact_seq;
  out.first_seq = op.first_seq;
  out.remove = op.remove;
  out.outbox = op.outbox;
  out.gone = op.gone;
  out.publish_staged = op.publish_staged;
  event_place place(op.key);
  out.events.reserve(op.events.size());
  for (const auto& e : op.events) {
    auto& to = out.events.emplace_back(with_room(e));
    if (auto done = seal(tenant, *by, to.json, place.of(e.seq, e.type)); !done) return done.error();
  }
  if (out.info && !out.info->title.empty())
    if (auto done = seal(tenant, *by, out.info->title, title_place(tenant, *out.info)); !done)
      return done.error();
  for (const auto& record : op.idempotency) {
    auto to = sealed(record);
    if (!to) return to.error();
    out.idempotency.push_back(std::move(*to));
  }
  auto documents = sealed(op.documents);
  if (!documents) return documents.error();
  out.documents = std::move(*documents);
  if (op.snapshot) {
    out.snapshot = with_room(*op.snapshot);
    if (auto done = seal(tenant, *by, *out.snapshot, snapshot_place(op.key)); !done)
      return done.error();
  }
  return out;
}

std::vector<result<std::uint64_t>> sealed_event_log::commit(std::span<const append_op> ops) {
  if (passes()) return inner_.commit(ops);
  std::vector<append_op> all;
  std::vector<std::optional<error>> refused(ops.size());
  all.reserve(ops.size());
  for (std::size_t n = 0; n < ops.size(); ++n) {
    auto one = sealed(ops[n]);
    if (one)
      all.push_back(std::move(*one));
    else
      refused[n] = one.error();
  }
  auto done = all.empty() ? std::vector<result<std::uint64_t>>() : inner_.commit(all);
  std::vector<result<std::uint64_t>> results;
  results.reserve(ops.size());
  auto next = done.begin();
  for (auto& why : refused) {
    if (why)
      results.emplace_back(std::move(*why));
    else
      results.push_back(std::move(*next++));
  }
  return results;
}

result<void> sealed_event_log::stage(const session_key& key,
                                     std::span<const encoded_event> events) {
  if (passes()) return inner_.stage(key, events);
  const auto by = keys_.for_writing(key.tenant);
  if (!by) return by.error();
  std::vector<encoded_event> all;
  all.reserve(events.size());
  event_place place(key);
  for (const auto& e : events) {
    auto& to = all.emplace_back(with_room(e));
    if (auto done = seal(key.tenant, *by, to.json, place.of(e.seq, e.type)); !done)
      return done.error();
  }
  return inner_.stage(key, all);
}

result<void> sealed_event_log::put_idempotency(const idempotency_record& record,
                                               std::span<const document_row> made) {
  if (passes()) return inner_.put_idempotency(record, made);
  auto to = sealed(record);
  if (!to) return to.error();
  auto documents = sealed(made);
  if (!documents) return documents.error();
  return inner_.put_idempotency(*to, *documents);
}

result<void> sealed_event_log::put_document(std::string_view collection, std::string_view key,
                                            std::string_view value) {
  auto to = with_room(value);
  if (auto done = seal_document(collection, key, to); !done) return done.error();
  return inner_.put_document(collection, key, to);
}

result<void> sealed_event_log::put_documents(
    std::string_view collection, std::span<const std::pair<std::string, std::string>> documents) {
  if (!sealed_collection(collection)) return inner_.put_documents(collection, documents);
  auto all = sealed_rows(
      documents, [&](auto& row) { return seal_document(collection, row.first, row.second); });
  return all ? inner_.put_documents(collection, *all) : all.error();
}

result<void> sealed_event_log::change_documents(std::string_view collection,
                                                std::span<const document_change> changes) {
  if (!sealed_collection(collection)) return inner_.change_documents(collection, changes);
  auto all = sealed_rows(changes, [&](document_change& change) {
    return change.value ? seal_document(collection, change.key, *change.value) : result<void>();
  });
  return all ? inner_.change_documents(collection, *all) : all.error();
}

// The bytes that are kept for the value that its writer read: no sealing makes the same twice.
// None: it is not there, or another.
result<std::optional<storage::expected_document>> sealed_event_log::expected(
    const storage::expected_document& one) const {
  auto out = std::optional(one);
  if (!one.value) return out;
  auto kept = inner_.get_document(one.collection, one.key);
  if (!kept) return kept.error();
  const auto opened = get_document(one.collection, one.key);
  if (!opened) return opened.error();
  // Both of one writing: else the store refuses what was read second.
  if (!*kept || !*opened || **opened != *one.value)
    return std::optional<storage::expected_document>();
  out->value = std::move(**kept);
  return out;
}

result<bool> sealed_event_log::write_rows(const row_batch& rows) {
  if (passes()) return inner_.write_rows(rows);
  row_batch all;
  for (const auto& one : rows.expected) {
    auto as_kept = expected(one);
    if (!as_kept) return as_kept.error();
    if (!*as_kept) return false;
    all.expected.push_back(std::move(**as_kept));
  }
  all.deleted = rows.deleted;
  all.outbox = rows.outbox;
  auto documents = sealed(rows.documents);
  if (!documents) return documents.error();
  all.documents = std::move(*documents);
  for (const auto& record : rows.idempotency) {
    auto to = sealed(record);
    if (!to) return to.error();
    all.idempotency.push_back(std::move(*to));
  }
  return inner_.write_rows(all);
}

// ---- what is read ----

result<session_head> sealed_event_log::head(const session_key& key) const {
  if (auto there = refuse_erased(key.tenant); !there) return there.error();
  auto found = inner_.head(key);
  if (found) open_title(key.tenant, found->info);
  return found;
}

result<event_page> sealed_event_log::read(const session_key& key,
                                          const read_options& options) const {
  if (passes()) return inner_.read(key, options);
  if (auto there = refuse_erased(key.tenant); !there) return there.error();
  auto page = inner_.read(key, options);
  if (!page) return page;
  event_place place(key);
  key_of_values by;
  for (auto& e : page->events) {
    if (!is_sealed(e.json)) continue;
    if (!by) {
      auto known = keys_.for_reading(key.tenant);
      if (!known) return known.error();
      by = std::move(*known);
    }
    if (!by->unseal(e.json, place.of(e.id.seq, e.type)))
      return does_not_open("session " + key.session.value + ": event " + std::to_string(e.id.seq));
  }
  return page;
}

result<std::optional<std::string>> sealed_event_log::snapshot(const session_key& key) const {
  auto found = inner_.snapshot(key);
  if (found && *found)
    if (auto done = open_value(key.tenant, **found, snapshot_place(key)); !done)
      return done.error();
  return found;
}

// The inner log cannot look into titles: the filter does, which it is given each head by.
result<session_list_page> sealed_event_log::list(const tenant_id& tenant,
                                                 const session_list_options& options) const {
  if (auto there = refuse_erased(tenant); !there) return there.error();
  if (passes()) return inner_.list(tenant, options);
  auto inner = options;
  inner.query.clear();
  inner.shows = [&](const session_info& info) {
    if (!options.query.empty()) {
      auto plain = info;
      open_title(tenant, plain);
      if (!title_contains(plain.title, options.query)) return false;
    }
    return !options.shows || options.shows(info);
  };
  auto page = inner_.list(tenant, inner);
  if (page)
    for (auto& row : page->sessions) open_title(tenant, row.head.info);
  return page;
}

result<std::vector<session_key>> sealed_event_log::busy_sessions() const {
  auto found = inner_.busy_sessions();
  if (found) std::erase_if(*found, [&](const auto& key) { return keys_.erased(key.tenant); });
  return found;
}

result<std::vector<tenant_id>> sealed_event_log::tenants() const {
  auto found = inner_.tenants();
  if (found) std::erase_if(*found, [&](const auto& tenant) { return keys_.erased(tenant); });
  return found;
}

result<std::optional<idempotency_record>> sealed_event_log::find_idempotency(
    std::string_view key) const {
  const tenant_id tenant{std::string(tenant_of(key))};
  if (auto there = refuse_erased(tenant); !there) return there.error();
  auto found = inner_.find_idempotency(key);
  if (!found || !*found) return found;
  auto& record = **found;
  if (auto done = open_value(tenant, record.request_hash, record_place(key, 'h')); !done)
    return done.error();
  if (auto done = open_value(tenant, record.response_json, record_place(key, 'a')); !done)
    return done.error();
  return found;
}

result<std::optional<std::string>> sealed_event_log::get_document(std::string_view collection,
                                                                  std::string_view key) const {
  auto found = inner_.get_document(collection, key);
  if (!found || !*found || !hides(collection)) return found;
  const tenant_id tenant{std::string(tenant_of(key))};
  if (keys_.erased(tenant)) return std::optional<std::string>();
  if (!sealed_collection(collection)) return found;
  if (auto done = open_value(tenant, **found, document_place(collection, key)); !done)
    return done.error();
  return found;
}

result<std::vector<std::pair<std::string, std::string>>> sealed_event_log::list_documents(
    std::string_view collection, std::string_view prefix, std::size_t limit,
    std::string_view after) const {
  if (!hides(collection) || passes())
    return inner_.list_documents(collection, prefix, limit, after);
  // What is left out of an erased tenant's is made up for: a short page is taken for the last.
  std::vector<std::pair<std::string, std::string>> all;
  // One that was changed is no reason to show nobody the others, of all tenants perhaps.
  std::size_t unreadable = 0;
  const auto tell = [&] {
    if (unreadable > 0)
      log(log_level::error, "sealing.values_left_out",
          {{"collection", collection}, {"count", std::uint64_t{unreadable}}});
  };
  std::string behind(after);
  for (;;) {
    const auto wanted = limit - all.size();
    auto page = inner_.list_documents(collection, prefix, wanted, behind);
    if (!page) return page.error();
    const bool last = page->size() < wanted;
    if (!page->empty()) behind = page->back().first;
    for (auto& [key, value] : *page) {
      const tenant_id tenant{std::string(tenant_of(key))};
      if (keys_.erased(tenant)) continue;
      if (!sealed_collection(collection)) {
        all.emplace_back(std::move(key), std::move(value));
        continue;
      }
      if (auto done = open_value(tenant, value, document_place(collection, key)); !done) {
        if (done.error().code != codes::storage_corrupt) return done.error();
        ++unreadable;
        continue;
      }
      all.emplace_back(std::move(key), std::move(value));
    }
    if (last || all.size() == limit) return tell(), all;
  }
}

}  // namespace soma::sealing
