// The feeds of a node, and what it tells those who follow their tenant's stream. Thread-safe.
#pragma once

#include <cstddef>
#include <optional>

#include "actors/node.hpp"
#include "app/session_facts.hpp"
#include "app/tenant_notices.hpp"
#include "core/config.hpp"
#include "core/session_feed.hpp"

namespace soma {

class node_feeds final : public actors::session_list_watch, public app::tenant_notices {
 public:
  explicit node_feeds(const config& settings);

  feed_registry& registry() { return registry_; }
  // Whose each session is and who sees it.
  app::fact_table& facts() { return facts_; }
  // That read them.
  std::size_t io_threads() const { return io_threads_; }

  void session_changed(const session_key& key, const storage::session_info* info,
                       event_id last) override;
  void settings_changed(const tenant_id& tenant) override;
  void catalog_changed(const tenant_id& tenant) override;
  void memory_changed(const tenant_id& tenant) override;
  // The tools of a tenant, of all where none is named.
  void tools_changed(const std::optional<tenant_id>& tenant);

 private:
  const std::size_t io_threads_;
  feed_registry registry_;
  app::fact_table facts_;
};

}  // namespace soma
