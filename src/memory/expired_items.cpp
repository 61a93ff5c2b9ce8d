// What is over: found by the index, and deleted.
#include <chrono>

#include "core/codes.hpp"
#include "memory/memories.hpp"

namespace soma::memory {

using clock = std::chrono::steady_clock;

result<std::vector<expired_row>> index_reader::expired(std::int64_t now_ms, std::size_t rows_max) {
  std::vector<expired_row> out;
  auto find = db_->prepare(
      "SELECT tenants.tenant, session, id FROM items JOIN tenants ON no=items.tenant"
      " WHERE expires_at>0 AND expires_at<=? ORDER BY expires_at LIMIT ?");
  if (!find) return find.error();
  find->bind(1, now_ms).bind(2, static_cast<std::int64_t>(rows_max));
  for (;;) {
    auto row = find->step();
    if (!row) return row.error();
    if (!*row) return out;
    expired_row one;
    one.tenant = tenant_id(std::string(find->text(0)));
    one.session = find->text(1);
    one.id = find->text(2);
    out.push_back(std::move(one));
  }
}

void memories::catch_up() const {
  index_.catch_up(clock::now() + std::chrono::milliseconds(limits_.catch_up_ms));
}

result<std::size_t> memories::sweep_expired(std::size_t items_max) {
  const auto now = now_ms_();
  auto reader = index_.read();
  if (!reader) return index_failed(reader.error());
  const auto until = clock::now() + std::chrono::milliseconds(limits_.search_ms);
  if (auto ok = (*reader)->begin(until); !ok) return index_failed(ok.error());
  const auto found = (*reader)->expired(now, items_max);
  (*reader)->end();
  if (!found) return index_failed(found.error());
  // The documents are asked: one that was changed meanwhile may have longer, and the index may not
  // have heard yet that one is gone.
  const std::lock_guard one_at_a_time(changing_);
  storage::row_batch rows;
  for (const auto& [tenant, session, id] : *found) {
    auto text = log_.get_document(item_collection, item_key(tenant, session, id));
    if (!text && text.error().code != codes::storage_corrupt) return text.error();
    if (!text || !*text) continue;
    auto it = decode_item(**text);
    if (!it || !is_over(it->expires_at_ms, now)) continue;
    place there;
    there.session = session;
    there.what = std::move(*it);
    if (auto ok = add_removal(rows, tenant, there); !ok) return ok.error();
  }
  if (!rows.deleted.empty())
    if (auto written = log_.write_rows(rows); !written) return written.error();
  return found->size();
}

}  // namespace soma::memory
