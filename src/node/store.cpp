#include "node/store.hpp"

#include <utility>

#include "core/version.hpp"
#include "node/settings_checks.hpp"
#include "observability/log.hpp"

namespace soma {
namespace {

storage::store_options store_options_of(const config& settings, const descriptor_plan& files) {
  storage::store_options options;
  options.data_dir = settings.text("storage.data_dir");
  options.open_files_max = files.store_files_max;
  options.release = version;
  options.min_free_bytes = static_cast<std::uint64_t>(settings.number("storage.min_free_bytes"));
  options.block_cache_bytes =
      static_cast<std::uint64_t>(settings.number("storage.block_cache_bytes"));
  options.on_notice = [](const std::string& what) {
    log(log_level::warn, "storage.notice", {{"what", what}});
  };
  // A session's is told by who asked for its rows (node_vitals).
  options.on_damage = [](const error& what, const session_key* session) {
    if (!session) log(log_level::error, "storage.damaged", {{"what", what.detail}});
  };
  return options;
}

}  // namespace

node_store::node_store(const config& settings, descriptor_plan plan,
                       std::unique_ptr<storage::event_log> log)
    : plan_(std::move(plan)),
      log_(std::move(log)),
      vitals_(settings.text("storage.data_dir")),
      events_(*log_, vitals_),
      documents_(events_) {
  vitals_.sample();
}

result<std::unique_ptr<node_store>> node_store::open(const config& settings) {
  auto plan = plan_descriptors(raise_descriptor_limit(), connections_wanted(settings),
                               io_threads_of(settings));
  if (!plan) return plan.error();
  if (!plan->said.empty()) log(log_level::warn, "server.few_descriptors", {{"what", plan->said}});
  auto events = storage::open_rocksdb_event_log(store_options_of(settings, *plan));
  if (!events) return events.error();
  std::unique_ptr<node_store> made(new node_store(settings, std::move(*plan), std::move(*events)));
  auto key = server_key_of(settings.text("storage.data_dir"), made->events_);
  if (!key) return key.error();
  made->server_key_ = std::move(*key);
  auto audit = open_node_audit(settings);
  if (!audit) return audit.error();
  made->audit_ = std::move(*audit);
  auto secrets = node_secrets::open(settings, made->documents_, *made->audit_);
  if (!secrets) return secrets.error();
  made->secrets_ = std::move(*secrets);
  return made;
}

}  // namespace soma
