// Notes of the version before this one: a document `tenant id` with the bare text.
#include <algorithm>

#include "core/codes.hpp"
#include "core/limits.hpp"
#include "memory/memories.hpp"

namespace soma::memory {
namespace {

constexpr std::string_view mark_collection = "memory.index", mark = "notes_taken_over";

}  // namespace

result<std::size_t> take_over_notes(storage::event_log& log, std::int64_t now_ms) {
  auto done = log.get_document(mark_collection, mark);
  if (!done) return done.error();
  std::size_t taken = 0;
  // A cluster begins without any.
  if (*done || !log.keeps_documents()) return taken;
  auto each = [&](const std::string& key, const std::string& text) -> result<void> {
    if (std::count(key.begin(), key.end(), '\n') != 1) return {};  // an item
    const auto end = key.find('\n');
    const tenant_id tenant(key.substr(0, end));
    item it;
    it.memory_id = key.substr(end + 1);
    it.kind = "note";
    it.text = text;
    it.created_at_ms = it.updated_at_ms = now_ms;
    storage::row_batch rows;
    rows.deleted.emplace_back(item_collection, key);
    add_item(rows.documents, tenant, it);
    rows.outbox.push_back(to_outbox(
        {change::kind::item, {tenant, session_id(std::string(no_session))}, it.memory_id}));
    if (auto written = log.write_rows(rows); !written) return written.error();
    ++taken;
    return {};
  };
  if (auto ok = storage::each_document(log, item_collection, {}, each); !ok) return ok.error();
  // In a cluster there is nothing of an earlier version, and whoever owns documents marks it.
  if (auto ok = log.put_document(mark_collection, mark, "1"); !ok)
    if (taken > 0 || ok.error().code != codes::cluster_not_owner) return ok.error();
  return taken;
}

}  // namespace soma::memory
