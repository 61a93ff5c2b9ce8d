// What SomaBrain was told: the states of items, beside what people change of them.
#include "memory/memories.hpp"

namespace soma::memory {

// False: one of them went, or was changed, while this was prepared, and nothing was written.
result<bool> memories::put_states(const tenant_id& tenant, std::span<const new_state> which,
                                  std::string_view state) {
  storage::row_batch rows;
  for (const auto& one : which) {
    std::string text;
    auto there = read(tenant, one.session, one.id, &text);
    if (!there) return there.error();
    if (!*there) continue;
    auto& it = **there;
    if (it.state == state || (one.version_ms != 0 && one.version_ms != it.updated_at_ms)) continue;
    it.state = state;
    rows.expected.push_back(
        {std::string(item_collection), item_key(tenant, one.session, one.id), std::move(text)});
    rows.documents.push_back(
        {std::string(item_collection), item_key(tenant, one.session, one.id), encode(it)});
    rows.outbox.push_back(
        to_outbox({memory::change::kind::item, {tenant, session_id(one.session)}, one.id}));
  }
  if (rows.documents.empty()) return true;
  return log_.write_rows(rows);
}

result<void> memories::set_states(const tenant_id& tenant, const std::vector<new_state>& which,
                                  std::string_view state) {
  const std::lock_guard one_at_a_time(changing_);
  auto all = put_states(tenant, which, state);
  if (!all) return all.error();
  if (*all) return {};
  for (const auto& one : which)
    if (auto set = put_states(tenant, std::span(&one, 1), state); !set) return set.error();
  return {};
}

}  // namespace soma::memory
