#include "tools/catalog.hpp"

#include <algorithm>

#include <boost/json.hpp>
#include <cstdio>

#include "core/codes.hpp"
#include "core/etag.hpp"
#include "core/fingerprint.hpp"
#include "core/json_writer.hpp"

namespace soma::tools {

namespace {

// Tenants whose sets are kept at once; past it all are made anew when they are asked for.
constexpr std::size_t sets_max = 1024;

}  // namespace

catalog::catalog(std::vector<catalog_entry> defaults, catalog_store& store) : store_(store) {
  for (auto& entry : defaults) {
    auto id = entry.tool_id;
    defaults_.insert_or_assign(std::move(id), std::move(entry));
  }
}

// {"of":"<pin>","change":{…}}, or the change alone.
catalog::kept_change catalog::read_change(std::string row_json) {
  boost::system::error_code ec;
  const auto row = boost::json::parse(row_json, ec);
  const auto* object = ec ? nullptr : row.if_object();
  const auto* of = object ? object->if_contains("of") : nullptr;
  const auto* change = object ? object->if_contains("change") : nullptr;
  if (!of || !change || !of->is_string()) return {std::move(row_json), {}};
  return {boost::json::serialize(*change), std::string(of->get_string())};
}

result<void> catalog::load() {
  const std::lock_guard one_at_a_time(change_mutex_);
  auto rows = store_.load();
  if (!rows) return rows.error();
  decltype(changes_) all;
  for (auto& row : *rows) all[row.tenant][row.tool_id] = read_change(std::move(row.change_json));
  std::lock_guard lock(mutex_);
  const auto same = [](const auto& a, const auto& b) {
    return a.first == b.first && std::equal(a.second.begin(), a.second.end(), b.second.begin(),
                                            b.second.end(), [](const auto& x, const auto& y) {
                                              return x.first == y.first &&
                                                     x.second.json == y.second.json &&
                                                     x.second.pin == y.second.pin;
                                            });
  };
  // Sets that are made are not made again for nothing: this is asked once a second in a cluster.
  if (loaded_ && std::equal(all.begin(), all.end(), changes_.begin(), changes_.end(), same))
    return {};
  changes_ = std::move(all);
  loaded_ = true;
  sets_.clear();
  return {};
}

void catalog::add_to(tool_set& set, const tenant_id& tenant, const catalog_entry& entry) const {
  auto now = entry;
  if (const auto own = changes_.find(tenant); own != changes_.end())
    if (const auto at = own->second.find(entry.tool_id); at != own->second.end()) {
      auto changed = apply_change(entry, at->second.json);
      // A stored change that no longer fits its entry: the tool is off until it is set anew.
      if (changed)
        now = std::move(*changed);
      else
        now.enabled = false;
      // Another tool than the one that was switched on.
      if (!entry.enabled && !at->second.pin.empty() && !entry.pin.empty() &&
          at->second.pin != entry.pin)
        now.enabled = false;
    }
  set.entries.insert_or_assign(entry.tool_id, std::move(now));
}

std::shared_ptr<const tool_set> catalog::make_set(const tenant_id& tenant) const {
  auto made = std::make_shared<tool_set>();
  if (loaded_) {
    for (const auto& [id, entry] : defaults_) add_to(*made, tenant, entry);
    if (const auto own = own_.find(tenant); own != own_.end())
      for (const auto& [id, entry] : own->second) add_to(*made, tenant, entry);
  }
  std::uint64_t hash = fingerprint(tenant.value);
  for (const auto& [id, entry] : made->entries) hash = fingerprint(to_json(entry), hash);
  char text[20];
  std::snprintf(text, sizeof text, "\"%016llx\"", static_cast<unsigned long long>(hash));
  made->etag = text;
  return made;
}

std::shared_ptr<const tool_set> catalog::of(const tenant_id& tenant) {
  std::lock_guard lock(mutex_);
  if (const auto at = sets_.find(tenant); at != sets_.end()) return at->second;
  if (sets_.size() >= sets_max) sets_.clear();
  return sets_.emplace(tenant, make_set(tenant)).first->second;
}

result<catalog_entry> catalog::change(const tenant_id& tenant, std::string_view tool_id,
                                      std::string_view change_json, std::string_view if_match) {
  const std::lock_guard one_at_a_time(change_mutex_);
  const auto before = of(tenant);
  if (!if_match_permits(if_match, before->etag))
    return error(codes::tool_entry_changed, "the catalog is not the one that If-Match names");
  catalog_entry fresh;
  {
    std::lock_guard lock(mutex_);
    const auto own = own_.find(tenant);
    const bool mine = own != own_.end() && own->second.count(std::string(tool_id)) > 0;
    const auto& all = mine ? own->second : defaults_;
    const auto at = all.find(tool_id);
    if (at == all.end())
      return error(codes::tool_unknown, "there is no tool " + std::string(tool_id));
    fresh = at->second;
  }
  auto changed = apply_change(std::move(fresh), change_json);
  if (!changed) return changed.error();
  kept_change kept{std::string(change_json), changed->pin};
  auto row = kept.json;
  if (!kept.pin.empty()) {
    row.clear();
    json_writer(row).begin_object().field("of", kept.pin).key("change").raw(kept.json).end_object();
  }
  auto stored = store_.put({tenant, std::string(tool_id), std::move(row)});
  if (!stored) return stored.error();
  std::lock_guard lock(mutex_);
  changes_[tenant][std::string(tool_id)] = std::move(kept);
  sets_.erase(tenant);
  return changed;
}

void catalog::replace(std::string_view prefix, std::vector<catalog_entry> with,
                      const tenant_id& tenant) {
  for (auto& entry : with) {
    std::string seen;
    json_writer w(seen);
    w.begin_array().string(entry.origin).string(entry.title).string(entry.description);
    w.raw(entry.inputs_schema_json).end_array();
    entry.pin = store_.digest(seen);
  }
  std::lock_guard lock(mutex_);
  auto& all = tenant.value.empty() ? defaults_ : own_[tenant];
  std::erase_if(all, [&](const auto& one) { return one.first.starts_with(prefix); });
  for (auto& entry : with) {
    auto id = entry.tool_id;
    all.insert_or_assign(std::move(id), std::move(entry));
  }
  sets_.clear();
}

}  // namespace soma::tools
