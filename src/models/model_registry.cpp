#include "models/model_registry.hpp"

#include <algorithm>

#include "core/codes.hpp"
#include "core/etag.hpp"
#include "core/loopback.hpp"
#include "llm/base_url.hpp"
#include "security/digest.hpp"
#include "storage/documents.hpp"

namespace soma::models {
namespace {

constexpr std::string_view collection = "profiles";

std::string row_key(const tenant_id& tenant, std::string_view name) {
  return tenant.value + '\n' + std::string(name);
}

std::string etag_of(const llm::model_profile& p) {
  const auto hash = security::sha256(llm::to_json(p));
  return '"' + security::hex(security::bytes_of(hash)).substr(0, 16) + '"';
}

error not_found(std::string_view what) {
  return {codes::profile_not_found, "there is no model profile for " + std::string(what)};
}

error changed() {
  return {codes::profile_changed, "the profile is not the one that If-Match names"};
}

}  // namespace

model_registry::model_registry(const config& settings, storage::event_log& log)
    : settings_(settings), log_(log) {
  const auto& allowed = settings.text("llm.allow_private_base_urls");
  private_allowed_ =
      allowed == "true" || (allowed == "auto" && is_loopback(settings.text("server.host")));
}

result<llm::model_profile> model_registry::from_settings() const {
  llm::model_profile p;
  p.name = "default";
  p.model = settings_.text("llm.model");
  auto normal = llm::normalize_base_url(settings_.text("llm.base_url"));
  if (!normal) return normal.error();
  p.base_url = std::move(*normal);
  p.provider = llm::detect_provider(p.base_url);
  p.kind = llm::default_wire(p.provider);
  p.pictures = llm::takes_pictures(p.provider, p.model);
  p.prefill = settings_.text("llm.resume") == "prefill";
  if (const auto t = settings_.real("llm.temperature"); t >= 0) p.temperature = t;
  if (const auto n = settings_.number("llm.max_tokens"); n > 0)
    p.max_tokens = static_cast<std::uint32_t>(n);
  p.says_window = settings_.number("llm.context_window") > 0;
  if (p.says_window)
    p.context_window = static_cast<std::uint64_t>(settings_.number("llm.context_window"));
  return p;
}

result<void> model_registry::load() {
  if (!settings_.text("llm.base_url").empty()) {
    auto made = from_settings();
    if (!made) return made.error();
    const std::lock_guard lock(mutex_);
    defaults_.insert_or_assign(made->name, std::move(*made));
  }
  const std::lock_guard one_at_a_time(change_mutex_);
  std::map<tenant_id, profile_map> stored;
  const auto take = [&](const std::string& key, const std::string& document) -> result<void> {
    const auto cut = key.find('\n');
    auto p = llm::parse_profile(document, key.substr(cut + 1));
    if (cut == key.npos || !p)
      return error(codes::storage_corrupt, "a stored model profile cannot be read");
    stored[tenant_id(key.substr(0, cut))].insert_or_assign(p->name, std::move(*p));
    return {};
  };
  if (auto read = storage::each_document(log_, collection, "", take); !read) return read;
  const std::lock_guard lock(mutex_);
  tenants_ = std::move(stored);
  dialogues_.clear();
  return {};
}

model_registry::profiles_seen model_registry::all_of(const tenant_id& tenant) const {
  profiles_seen all;
  for (const auto& [name, p] : defaults_) all.emplace(name, &p);
  if (const auto own = tenants_.find(tenant); own != tenants_.end())
    for (const auto& [name, p] : own->second) all.insert_or_assign(name, &p);
  return all;
}

std::optional<listed_profile> model_registry::find(const tenant_id& tenant,
                                                   std::string_view name) const {
  if (const auto own = tenants_.find(tenant); own != tenants_.end())
    if (const auto at = own->second.find(name); at != own->second.end())
      return listed_profile{at->second, false, etag_of(at->second)};
  if (const auto at = defaults_.find(name); at != defaults_.end())
    return listed_profile{at->second, true, etag_of(at->second)};
  return std::nullopt;
}

std::vector<listed_profile> model_registry::list(const tenant_id& tenant) const {
  std::lock_guard lock(mutex_);
  std::vector<listed_profile> listed;
  for (const auto& [name, p] : all_of(tenant)) listed.push_back(*find(tenant, name));
  return listed;
}

result<listed_profile> model_registry::get(const tenant_id& tenant, std::string_view name) const {
  std::lock_guard lock(mutex_);
  auto found = find(tenant, name);
  if (!found) return not_found(name);
  return std::move(*found);
}

result<void> model_registry::may_put(const tenant_id& tenant, std::string_view name,
                                     const condition& only) const {
  const auto before = find(tenant, name);
  if (only.fresh && before)
    return error(codes::profile_exists, "there is a profile of that name already");
  if (!if_match_permits(only.if_match,
                        before ? std::string_view(before->etag) : std::string_view{}))
    return changed();
  const auto own = tenants_.find(tenant);
  if (own != tenants_.end() && !own->second.contains(name) && own->second.size() >= profiles_max)
    return error(codes::quota_exceeded, "the tenant has as many profiles as it may", 3600);
  return {};
}

// The first is the one that is put.
result<void> model_registry::write(const tenant_id& tenant,
                                   const std::vector<llm::model_profile>& written,
                                   const keeper& keep) {
  if (!keep) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& p : written) rows.emplace_back(row_key(tenant, p.name), llm::to_json(p));
    return log_.put_documents(collection, rows);
  }
  std::vector<storage::document_row> rows;
  for (const auto& p : written)
    rows.push_back({std::string(collection), row_key(tenant, p.name), llm::to_json(p)});
  return keep({written.front(), false, etag_of(written.front())}, rows);
}

result<listed_profile> model_registry::put(const tenant_id& tenant,
                                           const llm::model_profile& profile, const condition& only,
                                           const keeper& keep) {
  const std::lock_guard one_at_a_time(change_mutex_);
  // One a role is preferred: the others give way in the same write.
  std::vector<llm::model_profile> written{profile};
  {
    std::lock_guard lock(mutex_);
    if (auto may = may_put(tenant, profile.name, only); !may) return may.error();
    if (const auto own = tenants_.find(tenant); own != tenants_.end())
      for (const auto& [name, p] : own->second)
        if (profile.preferred && p.preferred && p.role == profile.role && name != profile.name) {
          written.push_back(p);
          written.back().preferred = false;
        }
  }
  if (auto stored = write(tenant, written, keep); !stored) return stored.error();
  std::lock_guard lock(mutex_);
  auto& own = tenants_[tenant];
  for (const auto& p : written) own.insert_or_assign(p.name, p);
  dialogues_.erase(tenant);
  return std::move(*find(tenant, profile.name));
}

result<void> model_registry::remove(const tenant_id& tenant, std::string_view name,
                                    const condition& only) {
  const std::lock_guard one_at_a_time(change_mutex_);
  {
    std::lock_guard lock(mutex_);
    const auto before = find(tenant, name);
    if (!before || before->from_configuration) return not_found(name);
    if (!if_match_permits(only.if_match, before->etag)) return changed();
  }
  auto removed = log_.delete_document(collection, row_key(tenant, name));
  if (!removed) return removed;
  std::lock_guard lock(mutex_);
  tenants_[tenant].erase(std::string(name));
  dialogues_.erase(tenant);
  return {};
}

llm::profile model_registry::target_of(const tenant_id& tenant, const llm::model_profile& p) const {
  auto target = llm::to_target(p);
  const auto own = tenants_.find(tenant);
  const bool from_tenant = own != tenants_.end() && own->second.count(p.name) > 0;
  target.public_only = from_tenant && !private_allowed_;
  target.context_window = known_window(p);
  return target;
}

result<resolved_model> model_registry::resolve(const tenant_id& tenant,
                                               const wanted_model& wanted) const {
  std::lock_guard lock(mutex_);
  return choose(tenant, wanted);
}

result<resolved_model> model_registry::choose(const tenant_id& tenant,
                                              const wanted_model& wanted) const {
  const auto all = all_of(tenant);
  if (all.empty()) return error(codes::llm_not_configured, "no model is configured: set a profile");
  const llm::model_profile* found = nullptr;
  const auto first = [&](auto fits) {
    for (const auto& [name, p] : all)
      if (!found && p->enabled && fits(*p)) found = p;
  };
  std::string what = wanted.profile;
  if (!wanted.profile.empty()) {
    if (const auto at = all.find(wanted.profile); at != all.end()) found = at->second;
  } else if (!wanted.model.empty()) {
    what = wanted.model;
    if (const auto at = all.find(wanted.model); at != all.end()) found = at->second;
    first([&](const auto& p) { return p.model == wanted.model; });
  } else {
    const std::string role = wanted.role.empty() ? "dialogue" : wanted.role;
    what = "the role " + role;
    // The preferred one, and then the profile called default, speak for their role before others
    // do; what a tenant prefers counts before what the configuration does.
    const auto own = tenants_.find(tenant);
    first([&](const auto& p) {
      return p.preferred && p.role == role && own != tenants_.end() &&
             own->second.count(p.name) > 0;
    });
    first([&](const auto& p) { return p.preferred && p.role == role; });
    first([&](const auto& p) { return p.name == "default" && p.role == role; });
    first([&](const auto& p) { return p.role == role; });
    // Every role can be played by the dialogue model until it has its own.
    if (role != "embed") first([&](const auto& p) { return p.role == "dialogue"; });
  }
  if (!found) return not_found(what);
  if (!found->enabled)
    return error(codes::profile_disabled, "the profile " + found->name + " is disabled");
  resolved_model resolved;
  resolved.target = target_of(tenant, *found);
  for (const auto& name : found->fallbacks)
    if (const auto at = all.find(name); at != all.end() && at->second->enabled)
      resolved.fallbacks.push_back(target_of(tenant, *at->second));
  return resolved;
}

// Chosen and kept under one lock: what was chosen before a change must not be kept after it.
std::shared_ptr<const actors::model_settings> model_registry::dialogue(
    const tenant_id& tenant) const {
  std::lock_guard lock(mutex_);
  if (const auto at = dialogues_.find(tenant); at != dialogues_.end()) return at->second;
  auto chosen = choose(tenant, {});
  auto made = std::make_shared<const actors::model_settings>(
      settings_for(chosen ? std::move(*chosen) : resolved_model()));
  dialogues_.insert_or_assign(tenant, made);
  return made;
}

actors::model_settings model_registry::settings_for(resolved_model resolved) const {
  actors::model_settings made;
  made.profile = std::move(resolved.target);
  made.fallbacks = std::move(resolved.fallbacks);
  const auto ms = [this](std::string_view key) {
    return static_cast<std::uint32_t>(settings_.number(key));
  };
  made.waits = {ms("llm.connect_timeout_ms"), ms("llm.first_token_timeout_ms"),
                ms("llm.idle_timeout_ms"), 0};
  auto& rules = made.rules;
  rules.max_attempts = ms("turn.max_attempts");
  rules.max_steps = ms("turn.max_steps");
  rules.max_tool_calls = ms("turn.max_tool_calls");
  rules.timeout_s = ms("turn.timeout_s");
  rules.queue_max = ms("session.queue_max");
  rules.event_text_bytes_max = static_cast<std::size_t>(settings_.number("llm.answer_bytes_max"));
  rules.context_window = made.profile.context_window;
  rules.system_prompt = settings_.text("llm.system_prompt");
  rules.remember = settings_.flag("memory.write");
  rules.recall = settings_.flag("memory.recall");
  rules.recall_strict = settings_.flag("memory.strict");
  rules.recall_ms = ms("memory.recall_ms");
  rules.recall_tokens = static_cast<std::uint64_t>(settings_.number("memory.recall_tokens"));
  rules.profile = made.profile.name;
  rules.provider = made.profile.provider;
  rules.model = made.profile.model;
  rules.prefill = made.profile.prefill;
  rules.pictures = made.profile.pictures;
  return made;
}

void model_registry::learn_window(const std::string& base_url, const std::string& model,
                                  llm::told_window told) {
  if (told.tokens == 0) return;
  std::lock_guard lock(mutex_);
  if (windows_.size() >= windows_max) windows_.clear();
  auto& known = windows_[std::pair(base_url, model)];
  if (known.tokens == told.tokens || (known.tokens > 0 && known.served && !told.served)) return;
  known = told;
  dialogues_.clear();
}

bool model_registry::ask_for_window(const std::string& base_url, const std::string& model) {
  // These are known not to tell.
  const auto provider = llm::detect_provider(base_url);
  for (const auto* silent : {"openai", "azure", "anthropic", "deepseek"})
    if (provider == silent) return false;
  std::lock_guard lock(mutex_);
  if (windows_.size() >= windows_max) windows_.clear();
  return windows_.try_emplace(std::pair(base_url, model)).second;
}

std::uint64_t model_registry::window_of(const llm::model_profile& p) const {
  std::lock_guard lock(mutex_);
  return known_window(p);
}

std::uint64_t model_registry::known_window(const llm::model_profile& p) const {
  const auto at = windows_.find({p.base_url, p.model});
  if (at == windows_.end() || at->second.tokens == 0) return p.context_window;
  const auto& told = at->second;
  if (!p.says_window && told.served) return told.tokens;
  // What a model was trained for is the most that it can take, not what a server gives it.
  return std::min(p.context_window, told.tokens);
}

std::optional<llm::model_profile> model_registry::configured(std::string_view name) const {
  std::lock_guard lock(mutex_);
  const auto at = defaults_.find(name);
  return at == defaults_.end() ? std::nullopt : std::optional(at->second);
}

bool model_registry::knows_model(const tenant_id& tenant, std::string_view model) const {
  std::lock_guard lock(mutex_);
  return serves(tenant, model);
}

bool model_registry::knows(const tenant_id& tenant, std::string_view name_or_model) const {
  std::lock_guard lock(mutex_);
  const auto own = tenants_.find(tenant);
  return (own != tenants_.end() && own->second.contains(name_or_model)) ||
         defaults_.contains(name_or_model) || serves(tenant, name_or_model);
}

// Asked for every call that names a model: copies nothing.
bool model_registry::serves(const tenant_id& tenant, std::string_view model) const {
  const auto own = tenants_.find(tenant);
  const auto* mine = own == tenants_.end() ? nullptr : &own->second;
  const auto fits = [&](const auto& one) {
    return one.second.enabled && one.second.model == model;
  };
  if (mine && std::any_of(mine->begin(), mine->end(), fits)) return true;
  return std::any_of(defaults_.begin(), defaults_.end(), [&](const auto& one) {
    return fits(one) && !(mine && mine->contains(one.first));  // the tenant's own stands over it
  });
}

bool model_registry::any() const {
  std::lock_guard lock(mutex_);
  return !defaults_.empty() ||
         std::any_of(tenants_.begin(), tenants_.end(),
                     [](const auto& tenant) { return !tenant.second.empty(); });
}

bool model_registry::is_configured_address(const llm::profile& target) const {
  std::lock_guard lock(mutex_);
  const auto at = defaults_.find("default");
  return at != defaults_.end() && at->second.base_url == target.base_url;
}

}  // namespace soma::models
