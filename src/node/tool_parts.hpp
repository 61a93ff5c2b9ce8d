// Everything of tools and policy that a node stands on, put together from the configuration and the
// store: the rules, the catalog, the runner and the tools behind it.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "actors/node.hpp"
#include "app/tool_gateway.hpp"
#include "core/config.hpp"
#include "node/file_parts.hpp"
#include "security/secrets/credential_vault.hpp"
#include "storage/event_log.hpp"

namespace soma {

class tool_parts {
 public:
  struct needs {
    const config& settings;
    storage::event_log& events;
    security::audit_log& audit;
    file_parts& files;
    security::credential_vault& vault;
  };
  // Blocks on the store. Errors: config.invalid (policy.file), those of the store.
  static result<std::unique_ptr<tool_parts>> make(const needs& from);
  ~tool_parts();

  // Connects to the servers of tools. `on_change`: a tenant's tools are others now (of every
  // tenant: none); from any thread. Errors: config.invalid (mcp.file), those of the store.
  result<void> connect(const config& settings,
                       std::function<void(const std::optional<tenant_id>&)> on_change);

  app::tool_gateway& gateway();
  tools::catalog_runner& runner();
  // Gives the actors what is attached, as policy lets them have it. This outlives them.
  void serve(actors::node_services& node);

 private:
  struct parts;
  explicit tool_parts(std::unique_ptr<parts> made);
  std::unique_ptr<parts> parts_;
};

// The rules of policy.file, else those built in. Errors: config.invalid.
result<std::unique_ptr<security::policy>> policy_of(const config& settings);

}  // namespace soma
