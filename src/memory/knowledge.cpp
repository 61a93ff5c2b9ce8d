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

std::string document_key(const tenant_id& tenant, std::string_view attachment_id) {
  return tenant.value + '\n' + std::string(attachment_id);
}

struct kept_row {
  kept_document what;
  bool done = false;
};

std::string encode(const kept_row& row) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("filename", row.what.filename);
  w.field("passages", static_cast<std::uint64_t>(row.what.passages));
  w.field_bool("cut", row.what.cut).field_bool("done", row.done).end_object();
  return out;
}

result<std::optional<kept_row>> read_row(const storage::event_log& log, const tenant_id& tenant,
                                         std::string_view attachment_id) {
  auto text = log.get_document(document_collection, document_key(tenant, attachment_id));
  if (!text) return text.error();
  if (!*text) return std::optional<kept_row>();
  boost::json::error_code wrong;
  const auto value = boost::json::parse(**text, wrong);
  if (wrong || !value.is_object())
    return error(codes::storage_corrupt, "what is kept of a document cannot be read");
  const auto& o = value.get_object();
  const auto is = [&](std::string_view name) {
    const auto* flag = o.if_contains(name);
    return flag && flag->is_bool() && flag->get_bool();
  };
  kept_row row;
  row.what.attachment_id = attachment_id;
  row.what.filename = text_of(o, "filename");
  if (const auto* count = o.if_contains("passages"); count && count->is_number())
    row.what.passages = count->to_number<std::size_t>();
  row.what.cut = is("cut");
  row.what.again = true;
  row.done = is("done");
  return std::optional(std::move(row));
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

result<kept_document> knowledge::keep(const tools::document_to_keep& what) {
  const auto& tenant = what.tenant;
  auto before = read_row(log_, tenant, what.attachment_id);
  if (!before) return before.error();
  if (*before && (*before)->done) return std::move((*before)->what);
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
  if (passages.empty()) return std::move(row.what);
  if (auto room = memories_.has_room(tenant, passages.size()); !room) return room.error();

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
  const auto now = now_ms_();
  for (std::size_t at = 0; at < passages.size() || at < count_before;) {
    storage::row_batch rows;
    rows.expected.emplace_back(document_collection, key);
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
    auto written = log_.write_rows(rows);
    if (!written) return written.error();
    if (!*written) return gone_meanwhile();
  }
  return std::move(row.what);
}

result<void> knowledge::forget(const tenant_id& tenant, std::string_view attachment_id) {
  return forget_document(log_, tenant, attachment_id, limits_.replicated);
}

result<void> forget_document(storage::event_log& log, const tenant_id& tenant,
                             std::string_view attachment_id, bool replicated) {
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
    first.documents.push_back({std::string(gone_document_collection), key, std::to_string(count)});
    if (auto written = log.write_rows(first); !written) return written.error();
  } else {
    auto left = log.get_document(gone_document_collection, key);
    if (!left) return left.error();
    if (!*left) return {};
    std::from_chars((*left)->data(), (*left)->data() + (*left)->size(), count);
  }
  for (std::size_t at = 0; at < count || at == 0;) {
    storage::row_batch rows;
    for (std::size_t n = 0; n < passages_at_once && at < count; ++n, ++at)
      delete_passage(rows, tenant, passage_id(tenant, attachment_id, at), replicated);
    if (at >= count) rows.deleted.emplace_back(gone_document_collection, key);
    if (auto written = log.write_rows(rows); !written) return written.error();
    if (at >= count) break;
  }
  return {};
}

}  // namespace soma::memory
