// Where memories were used, in the index: both how it is written and how it is read.
#include "memory/index_file.hpp"
#include "memory/index_reader.hpp"

namespace soma::memory {

result<void> index_file::put_use(const tenant_id& tenant, const use_row& use,
                                 const std::vector<std::string>& ids) {
  auto no = tenant_number(tenant, false);
  if (!no) return no.error();
  auto add = db_->kept(
      "INSERT OR IGNORE INTO uses SELECT tenant, id, ?3, ?4, ?5, ?6, ?7 FROM items"
      " WHERE tenant=?1 AND id=?2");
  if (!add) return add.error();
  auto oldest = db_->kept(
      "DELETE FROM uses WHERE tenant=?1 AND memory=?2 AND (at, session, seq) <="
      " (SELECT at, session, seq FROM uses WHERE tenant=?1 AND memory=?2"
      "  ORDER BY at DESC, session DESC, seq DESC LIMIT 1 OFFSET ?3)");
  if (!oldest) return oldest.error();
  for (const auto& id : ids) {
    auto& s = **add;
    s.bind(1, *no).bind(2, id).bind(3, use.at_ms).bind(4, use.session);
    s.bind(5, static_cast<std::int64_t>(use.seq)).bind(6, use.event_id).bind(7, use.turn_id);
    if (auto ok = s.run(); !ok) return ok;
    if (auto ok = (*oldest)->bind(1, *no).bind(2, id).bind(3, uses_max).run(); !ok) return ok;
  }
  return {};
}

result<void> index_file::erase_use(const tenant_id& tenant, std::string_view session,
                                   std::uint64_t seq) {
  auto no = tenant_number(tenant, false);
  if (!no) return no.error();
  auto gone = db_->kept("DELETE FROM uses WHERE tenant=? AND session=? AND seq=?");
  if (!gone) return gone.error();
  return (*gone)->bind(1, *no).bind(2, session).bind(3, static_cast<std::int64_t>(seq)).run();
}

result<void> index_file::erase_uses_of(const tenant_id& tenant, std::string_view id) {
  auto no = tenant_number(tenant, false);
  if (!no) return no.error();
  auto gone = db_->kept("DELETE FROM uses WHERE tenant=? AND memory=?");
  if (!gone) return gone.error();
  return (*gone)->bind(1, *no).bind(2, id).run();
}

result<std::vector<std::uint64_t>> index_file::uses_in(const tenant_id& tenant,
                                                       std::string_view session) {
  std::vector<std::uint64_t> out;
  auto no = tenant_number(tenant, false);
  if (!no) return no.error();
  auto find =
      db_->prepare("SELECT DISTINCT seq FROM uses WHERE tenant=? AND session=? ORDER BY seq");
  if (!find) return find.error();
  find->bind(1, *no).bind(2, session);
  for (;;) {
    auto row = find->step();
    if (!row) return row.error();
    if (!*row) return out;
    out.push_back(static_cast<std::uint64_t>(find->number(0)));
  }
}

result<std::vector<use_row>> index_reader::uses(const tenant_id& tenant, std::string_view id,
                                                const use_place& behind, std::size_t rows_max) {
  std::vector<use_row> out;
  auto no = tenant_number(tenant);
  if (!no) return no.error();
  auto find = db_->prepare(
      "SELECT at, session, seq, event, turn FROM uses WHERE tenant=? AND memory=?"
      " AND (at, session, seq) < (?, ?, ?)"
      " ORDER BY at DESC, session DESC, seq DESC LIMIT ?");
  if (!find) return find.error();
  find->bind(1, *no).bind(2, id).bind(3, behind.at_ms).bind(4, behind.session);
  find->bind(5, static_cast<std::int64_t>(behind.seq));
  find->bind(6, static_cast<std::int64_t>(rows_max));
  for (;;) {
    auto row = find->step();
    if (!row) return row.error();
    if (!*row) return out;
    use_row use;
    use.at_ms = find->number(0);
    use.session = find->text(1);
    use.seq = static_cast<std::uint64_t>(find->number(2));
    use.event_id = find->text(3);
    use.turn_id = find->text(4);
    out.push_back(std::move(use));
  }
}

}  // namespace soma::memory
