#include "node/feeds.hpp"

#include <vector>

#include "http/stream/tenant_stream.hpp"
#include "node/settings_checks.hpp"

namespace soma {
namespace {

feed_limits limits_of(const config& settings) {
  feed_limits limits;
  limits.frames_max = static_cast<std::size_t>(settings.number("sse.ring_frames"));
  limits.bytes_max = static_cast<std::size_t>(settings.number("sse.ring_bytes"));
  return limits;
}

}  // namespace

node_feeds::node_feeds(const config& settings)
    : io_threads_(io_threads_of(settings)),
      registry_(static_cast<unsigned>(io_threads_), limits_of(settings)) {}

void node_feeds::session_changed(const session_key& key, const storage::session_info* info,
                                 event_id last) {
  const auto before = facts_.changed(key, info);
  http::publish_session_change(registry_, key, info, last, before.get());
}

void node_feeds::settings_changed(const tenant_id& tenant) {
  http::publish_tenant_event(registry_, tenant, "settings.changed", "{}");
}

void node_feeds::catalog_changed(const tenant_id& tenant) {
  http::publish_tenant_event(registry_, tenant, "catalog.changed", "{}");
}

void node_feeds::memory_changed(const tenant_id& tenant) {
  http::publish_tenant_event(registry_, tenant, "memory.changed", "{}");
}

void node_feeds::tools_changed(const std::optional<tenant_id>& tenant) {
  for (const auto& one : tenant ? std::vector{*tenant} : registry_.tenants_followed())
    catalog_changed(one);
}

}  // namespace soma
