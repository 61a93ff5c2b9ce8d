#include "memory/knowledge.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/uuid.hpp"
#include "storage/attachment_rows.hpp"

namespace soma::memory {
namespace {

using tools::kept_document;

constexpr std::size_t passages_at_once = 250;  // of one atom: below a megabyte
constexpr std::size_t cursor_bytes_max = 200;

std::string document_key(const tenant_id& tenant, std::string_view attachment_id) {
  return tenant.value + '\n' + std::string(attachment_id);
}

struct kept_row {
  kept_document what;
  std::string owner, session_id;
  std::uint64_t bytes = 0;
  std::int64_t imported_at_ms = 0;
  bool done = false;
};

std::string encode(const kept_row& row) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("filename", row.what.filename);
  w.field("passages", static_cast<std::uint64_t>(row.what.passages)).field("bytes", row.bytes);
  w.field("owner", row.owner).field_if("session_id", row.session_id);
  w.field("imported_at", static_cast<std::uint64_t>(row.imported_at_ms));
  w.field_bool("cut", row.what.cut).field_bool("done", row.done).end_object();
  return out;
}

result<kept_row> decode_row(std::string_view attachment_id, std::string_view text) {
  boost::json::error_code wrong;
  const auto value = boost::json::parse({text.data(), text.size()}, wrong);
  if (wrong || !value.is_object())
    return error(codes::storage_corrupt, "what is kept of a document cannot be read");
  const auto& o = value.get_object();
  const auto is = [&](std::string_view name) {
    const auto* flag = o.if_contains(name);
    return flag && flag->is_bool() && flag->get_bool();
  };
  const auto count = [&](std::string_view name) {
    const auto* number = o.if_contains(name);
    return number && number->is_number() ? number->to_number<std::uint64_t>() : 0;
  };
  kept_row row;
  row.what.attachment_id = attachment_id;
  row.what.filename = text_of(o, "filename");
  row.what.passages = count("passages");
  row.owner = text_of(o, "owner");
  row.session_id = text_of(o, "session_id");
  row.bytes = count("bytes");
  row.imported_at_ms = static_cast<std::int64_t>(count("imported_at"));
  row.what.cut = is("cut");
  row.what.again = true;
  row.done = is("done");
  return row;
}

result<std::optional<kept_row>> read_row(const storage::event_log& log, const tenant_id& tenant,
                                         std::string_view attachment_id) {
  auto text = log.get_document(document_collection, document_key(tenant, attachment_id));
  if (!text) return text.error();
  if (!*text) return std::optional<kept_row>();
  auto row = decode_row(attachment_id, **text);
  if (!row) return row.error();
  return std::optional(std::move(*row));
}

std::string place_of(const std::string& filename, const passage& one) {
  std::string out;
  json_writer w(out);
  w.begin_object().field_if("file", filename);
  if (one.page > 0) w.field("page", static_cast<std::uint64_t>(one.page));
  w.field_if("heading", one.heading).key("range").begin_array();
  w.number(static_cast<std::uint64_t>(one.from)).number(static_cast<std::uint64_t>(one.to));
  w.end_array().end_object();
  return out;
}

// What the readers of memories hear of a passage.
void tell(storage::row_batch& rows, const tenant_id& tenant, const std::string& id,
          change::kind what, bool replicated) {
  const session_key of{tenant, session_id(std::string(no_session))};
  rows.outbox.push_back(to_outbox({change::kind::item, of, id}));
  if (replicated) rows.outbox.push_back(to_outbox({what, of, id}, brain_sink));
}

void delete_passage(storage::row_batch& rows, const tenant_id& tenant, const std::string& id,
                    bool replicated) {
  rows.deleted.emplace_back(item_collection, item_key(tenant, no_session, id));
  rows.deleted.emplace_back(id_collection, id_key(tenant, id));
  tell(rows, tenant, id, change::kind::gone, replicated);
}

error gone_meanwhile() {
  return {codes::attachment_expired, "the attachment was deleted meanwhile"};
}

storage::idempotency_record record_of(const tools::answer_to_keep& answer,
                                      const kept_document& what) {
  auto [status, body] = answer.made(what);
  return {answer.key, answer.hash, status, std::move(body), answer.created_at_ms, answer.ttl_ms};
}

error no_document() {
  return {codes::memory_not_found, "nothing is kept of that document"};
}

bool is_key(std::string_view attachment_id) {
  return !attachment_id.empty() && attachment_id.find('\n') == std::string_view::npos;
}

// What is kept of a document is of no session.
bool is_theirs(const viewer& who, std::string_view owner) {
  return sight(nullptr, who)(owner, no_session);
}

}  // namespace

std::string passage_id(const tenant_id& tenant, std::string_view attachment_id,
                       std::size_t number) {
  const auto named =
      tenant.value + '\n' + std::string(attachment_id) + '\n' + std::to_string(number);
  return format_uuid(fingerprint(named), fingerprint(named, fingerprint("passage")));
}

passage_options passage_options_for(std::string_view content_type, std::string_view filename) {
  const auto named = [&](std::string_view end) {
    return filename.size() > end.size() &&
           std::equal(end.rbegin(), end.rend(), filename.rbegin(), [](char a, char b) {
             return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
           });
  };
  passage_options how;
  how.paged = content_type == "application/pdf";
  how.headings = content_type == "text/markdown" || content_type == "text/html" ||
                 content_type.starts_with("application/vnd.openxmlformats-officedocument.") ||
                 content_type == "application/zip" || named(".md") || named(".markdown");
  how.rows = content_type == "text/csv" || named(".csv");
  return how;
}

result<std::optional<kept_document>> knowledge::find(const tenant_id& tenant,
                                                     std::string_view attachment_id) const {
  auto row = read_row(log_, tenant, attachment_id);
  if (!row) return row.error();
  if (!*row || !(*row)->done) return std::optional<kept_document>();
  return std::optional(std::move((*row)->what));
}

disk_mutex& knowledge::lock_of(const tenant_id& tenant, std::string_view attachment_id) {
  return locks_[fingerprint(document_key(tenant, attachment_id)) % locks_.size()];
}

result<kept_document> knowledge::keep(const tools::document_to_keep& what) {
  const auto& tenant = what.tenant;
  const std::lock_guard one_at_a_time(lock_of(tenant, what.attachment_id));
  auto before = read_row(log_, tenant, what.attachment_id);
  if (!before) return before.error();
  if (*before && (*before)->done) {
    if (auto kept = keep_answer(what.answer, (*before)->what); !kept) return kept.error();
    return std::move((*before)->what);
  }
  // What was being forgotten when the process ended would go while it is kept anew.
  if (!*before)
    if (auto left = forget_document(log_, tenant, what.attachment_id, limits_.replicated); !left)
      return left.error();
  auto how = passage_options_for(what.content_type, what.filename);
  how.passages_max = limits_.passages_max;
  auto cut = cut_passages(what.text, how);
  auto& passages = cut.passages;
  passages.erase(std::remove_if(passages.begin(), passages.end(),
                                [](const passage& one) { return !remembers(one.text); }),
                 passages.end());
  kept_row row;
  row.what.attachment_id = what.attachment_id;
  row.what.filename = what.filename;
  row.what.passages = passages.size();
  row.what.cut = what.cut || cut.more;
  row.owner = what.user_id;
  row.session_id = what.session_id;
  row.imported_at_ms = now_ms_();
  for (const auto& one : passages) row.bytes += one.text.size();
  if (passages.empty()) {
    if (auto kept = keep_answer(what.answer, row.what); !kept) return kept.error();
    return std::move(row.what);
  }
  if (auto room = memories_.has_room(tenant, passages.size(), row.bytes); !room)
    return room.error();

  // First the row by which a deletion knows how much there may be, then the passages, and with the
  // last of them that all is there. Each stands on the row: once that is deleted nothing is
  // written.
  const auto key = document_key(tenant, what.attachment_id);
  const auto count_before = *before ? (*before)->what.passages : 0;
  auto begun = row;
  begun.what.passages = std::max(passages.size(), count_before);
  storage::row_batch first;
  first.documents.push_back({std::string(document_collection), key, encode(begun)});
  storage::add_attachment_use(first.documents, {tenant, session_id(std::string(knowledge_use))},
                              what.attachment_id);
  if (auto written = log_.write_rows(first); !written) return written.error();
  const auto now = row.imported_at_ms;
  for (std::size_t at = 0; at < passages.size() || at < count_before;) {
    storage::row_batch rows;
    rows.expected.push_back({std::string(document_collection), key});
    for (std::size_t n = 0; n < passages_at_once && at < std::max(passages.size(), count_before);
         ++n, ++at) {
      auto id = passage_id(tenant, what.attachment_id, at);
      if (at >= passages.size()) {  // of an import that ended before its end, with other limits
        delete_passage(rows, tenant, id, limits_.replicated);
        continue;
      }
      item it;
      it.memory_id = std::move(id);
      it.kind = "knowledge";
      it.text = std::move(passages[at].text);
      bound_text(it);
      it.attachment_id = what.attachment_id;
      it.place_json = place_of(what.filename, passages[at]);
      it.owner = what.user_id;
      it.created_at_ms = it.updated_at_ms = now;
      add_item(rows.documents, tenant, it);
      tell(rows, tenant, it.memory_id, change::kind::item, limits_.replicated);
    }
    row.done = at >= passages.size() && at >= count_before;
    if (row.done) rows.documents.push_back({std::string(document_collection), key, encode(row)});
    if (row.done && !what.answer.key.empty())
      rows.idempotency.push_back(record_of(what.answer, row.what));
    auto written = log_.write_rows(rows);
    if (!written) return written.error();
    if (!*written) return gone_meanwhile();
  }
  return std::move(row.what);
}

result<void> knowledge::keep_answer(const tools::answer_to_keep& answer,
                                    const kept_document& what) {
  if (answer.key.empty()) return {};
  return log_.put_idempotency(record_of(answer, what));
}

result<void> knowledge::forget(const tenant_id& tenant, std::string_view attachment_id) {
  const std::lock_guard one_at_a_time(lock_of(tenant, attachment_id));
  auto gone = forget_document(log_, tenant, attachment_id, limits_.replicated);
  return gone ? result<void>() : result<void>(gone.error());
}

result<document_page> knowledge::list(const viewer& who, std::string_view cursor,
                                      std::size_t limit) const {
  if (!cursor.empty() && (!is_key(cursor) || cursor.size() > cursor_bytes_max))
    return error(codes::request_invalid_parameter, "the cursor is none of this list")
        .about("cursor");
  const auto prefix = who.tenant.value + '\n';
  const auto behind = cursor.empty() ? std::string() : document_key(who.tenant, cursor);
  const auto rows =
      log_.list_documents(document_collection, prefix, limits_.looked_at_max + 1, behind);
  if (!rows) return rows.error();
  document_page page;
  std::string_view last;
  std::size_t looked_at = 0;
  for (const auto& [key, text] : *rows) {
    const auto id = std::string_view(key).substr(prefix.size());
    if (looked_at++ == limits_.looked_at_max) {
      page.next_cursor = last;
      return page;
    }
    last = id;
    auto row = decode_row(id, text);
    if (!row) return row.error();
    if (!is_theirs(who, row->owner)) continue;
    if (page.documents.size() == limit) {
      page.next_cursor = page.documents.back().attachment_id;
      return page;
    }
    known_document one;
    one.attachment_id = std::move(row->what.attachment_id);
    one.filename = std::move(row->what.filename);
    one.owner = std::move(row->owner);
    one.session_id = std::move(row->session_id);
    one.passages = row->what.passages;
    one.bytes = row->bytes;
    one.imported_at_ms = row->imported_at_ms;
    page.documents.push_back(std::move(one));
  }
  return page;
}

result<std::size_t> knowledge::forget_kept(const viewer& who, std::string_view attachment_id) {
  if (!is_key(attachment_id)) return no_document();
  const std::lock_guard one_at_a_time(lock_of(who.tenant, attachment_id));
  auto row = read_row(log_, who.tenant, attachment_id);
  if (!row) return row.error();
  if (!*row || !is_theirs(who, (*row)->owner)) return no_document();
  return forget_document(log_, who.tenant, attachment_id, limits_.replicated,
                         now_ms_() + limits_.unclaimed_ms);
}

result<std::size_t> knowledge::finish_forgetting() {
  std::size_t finished = 0;
  auto each = [&](const std::string& key, const std::string&) -> result<void> {
    const auto end = key.find('\n');
    if (end == std::string::npos) return {};
    const tenant_id tenant(key.substr(0, end));
    const auto id = key.substr(end + 1);
    const std::lock_guard one_at_a_time(lock_of(tenant, id));
    auto kept = read_row(log_, tenant, id);
    if (!kept) return kept.error();
    if (*kept) return {};  // it was kept anew, which finished it
    if (auto gone = forget_document(log_, tenant, id, limits_.replicated); !gone)
      return gone.error();
    ++finished;
    return {};
  };
  if (auto all = storage::each_document(log_, gone_document_collection, {}, each); !all)
    return all.error();
  return finished;
}

result<std::size_t> forget_document(storage::event_log& log, const tenant_id& tenant,
                                    std::string_view attachment_id, bool replicated,
                                    std::int64_t stays_until_ms) {
  const auto key = document_key(tenant, attachment_id);
  auto row = read_row(log, tenant, attachment_id);
  if (!row) return row.error();
  std::size_t count = 0;
  if (*row) {
    count = (*row)->what.passages;
    const session_key use{tenant, session_id(std::string(knowledge_use))};
    std::vector<storage::document_row> uses;
    storage::add_attachment_use(uses, use, attachment_id);
    storage::row_batch first;
    first.deleted.emplace_back(document_collection, key);
    for (auto& one : uses) first.deleted.emplace_back(one.collection, one.key);
    if (stays_until_ms > 0)
      first.documents.push_back(
          {std::string(storage::attachment_collection),
           storage::attachment_key(
               {"due", storage::attachment_time(stays_until_ms), tenant.value, attachment_id}),
           {}});
    first.documents.push_back({std::string(gone_document_collection), key, std::to_string(count)});
    if (auto written = log.write_rows(first); !written) return written.error();
  } else {
    auto left = log.get_document(gone_document_collection, key);
    if (!left) return left.error();
    if (!*left) return std::size_t{0};
    std::from_chars((*left)->data(), (*left)->data() + (*left)->size(), count);
  }
  std::size_t forgotten = 0;
  for (std::size_t at = 0; at < count || at == 0;) {
    storage::row_batch rows;
    for (std::size_t n = 0; n < passages_at_once && at < count; ++n, ++at) {
      const auto id = passage_id(tenant, attachment_id, at);
      const auto there = log.get_document(item_collection, item_key(tenant, no_session, id));
      if (!there && there.error().code != codes::storage_corrupt) return there.error();
      if (!there || *there) ++forgotten;
      delete_passage(rows, tenant, id, replicated);
    }
    if (at >= count) rows.deleted.emplace_back(gone_document_collection, key);
    if (auto written = log.write_rows(rows); !written) return written.error();
    if (at >= count) break;
  }
  return forgotten;
}

}  // namespace soma::memory
