// Which models there are: a tenant's profiles, kept in the store, over those of the configuration.
// The one place that says where a call goes; nothing here holds a key.
//
// Thread-safe. load, put and remove block on the store: at start, or on a thread for the store's
// writes. The rest is memory alone and waits for none of them, so that io threads and actors may
// ask it: for every input of every session.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "actors/node.hpp"
#include "core/config.hpp"
#include "core/may_block.hpp"
#include "llm/model_profile.hpp"
#include "llm/model_window.hpp"

namespace soma::models {

struct listed_profile {
  llm::model_profile profile;
  bool from_configuration = false;
  std::string etag;
};

// What a caller names; the first that is not empty counts. None: the role dialogue.
struct wanted_model {
  std::string profile, role, model;
};

struct resolved_model {
  llm::profile target;  // without its key
  std::vector<llm::profile> fallbacks;
};

class model_registry {
 public:
  static constexpr std::size_t profiles_max = 200;  // of a tenant
  static constexpr std::size_t windows_max = 1024;  // of models, as their providers told them

  model_registry(const config& settings, storage::event_log& log);

  // What is stored, in place of what was known: at the start, and whenever others wrote it. Blocks.
  // Errors: config.invalid, storage.corrupt, those of the store; then all is as it was.
  result<void> load();

  std::vector<listed_profile> list(const tenant_id& tenant) const;
  result<listed_profile> get(const tenant_id& tenant, std::string_view name) const;

  // `if_match`: the etag the caller saw; empty: any. `fresh`: it must not exist yet.
  // Errors: profile.exists, profile.changed, quota.exceeded, those of the store.
  struct condition {
    std::string if_match;
    bool fresh = false;
  };
  // Writes the rows of what a profile becomes, with whatever is to become true with them, or fails
  // and writes nothing; the profile then is as it was.
  using keeper =
      std::function<result<void>(const listed_profile&, std::span<const storage::document_row>)>;
  // `keep` writes in place of the store.
  result<listed_profile> put(const tenant_id& tenant, const llm::model_profile& profile,
                             const condition& only, const keeper& keep = {});

  // What the configuration says of that name is visible again. Errors: profile.not_found,
  // profile.changed.
  result<void> remove(const tenant_id& tenant, std::string_view name, const condition& only);

  // Errors: profile.not_found, profile.disabled, llm.not_configured.
  result<resolved_model> resolve(const tenant_id& tenant, const wanted_model& wanted) const;

  // The model of conversations. Empty target when there is none.
  std::shared_ptr<const actors::model_settings> dialogue(const tenant_id& tenant) const;

  // What a provider said of the context of one of its models, kept until the next start: a profile
  // that says nothing has this, and what a server gives is more than no profile's word.
  void learn_window(const std::string& base_url, const std::string& model, llm::told_window told);
  // Once for each address and model: whether its provider is to be asked for that.
  bool ask_for_window(const std::string& base_url, const std::string& model);
  // Tokens of the context that calls of this profile reckon with.
  std::uint64_t window_of(const llm::model_profile& p) const;

  // What the configuration says of that name, whatever the tenant set.
  std::optional<llm::model_profile> configured(std::string_view name) const;
  // Whether an enabled profile of the tenant is for that model.
  bool knows_model(const tenant_id& tenant, std::string_view model) const;
  // The same, or whether it is a profile's name.
  bool knows(const tenant_id& tenant, std::string_view name_or_model) const;
  // Whether anyone has a model.
  bool any() const;
  // Whether a profile's address may be one of this machine or a private network.
  bool private_allowed() const { return private_allowed_; }
  // Of the configuration's own profile, at the address that it was given for.
  bool is_configured_address(const llm::profile& target) const;

 private:
  using profile_map = std::map<std::string, llm::model_profile, std::less<>>;

  result<llm::model_profile> from_settings() const;
  actors::model_settings settings_for(resolved_model resolved) const;
  result<void> write(const tenant_id& tenant, const std::vector<llm::model_profile>& written,
                     const keeper& keep);
  // Under mutex_:
  bool serves(const tenant_id& tenant, std::string_view model) const;
  result<resolved_model> choose(const tenant_id& tenant, const wanted_model& wanted) const;
  result<void> may_put(const tenant_id& tenant, std::string_view name, const condition& only) const;
  // For as long as mutex_ is held: asked for every call, so nothing of a profile is copied.
  using profiles_seen = std::map<std::string_view, const llm::model_profile*>;
  profiles_seen all_of(const tenant_id& tenant) const;
  std::uint64_t known_window(const llm::model_profile& p) const;
  llm::profile target_of(const tenant_id& tenant, const llm::model_profile& p) const;
  std::optional<listed_profile> find(const tenant_id& tenant, std::string_view name) const;

  const config& settings_;
  storage::event_log& log_;
  bool private_allowed_ = false;
  disk_mutex change_mutex_;  // of put and remove as a whole: store and memory in one order
  mutable quick_mutex mutex_;
  profile_map defaults_;
  std::map<tenant_id, profile_map> tenants_;
  mutable std::map<tenant_id, std::shared_ptr<const actors::model_settings>> dialogues_;
  // By address and model; of 0 tokens where it was asked for and is not known.
  std::map<std::pair<std::string, std::string>, llm::told_window> windows_;
};

}  // namespace soma::models
