// Servers of the Model Context Protocol, from the configuration and the store.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "core/config.hpp"
#include "security/secrets/credential_vault.hpp"
#include "storage/event_log.hpp"
#include "tools/mcp/servers.hpp"

namespace soma {

// Tenants' servers as documents of the store, their tokens in the vault. Thread-safe; blocks on the
// disk. Lifetime: what it is given outlives it.
class stored_mcp_servers final : public tools::mcp::server_store {
 public:
  stored_mcp_servers(storage::event_log& log, security::credential_vault& vault)
      : log_(log), vault_(vault) {}

  result<std::vector<row>> load() override;
  result<void> put(const row& kept) override;
  result<void> remove(const tenant_id& tenant, const std::string& name) override;
  result<secret_string> token(const tenant_id& tenant, const std::string& name) override;
  result<void> keep_token(const tenant_id& tenant, const std::string& name,
                          const secret_string& token) override;

 private:
  storage::event_log& log_;
  security::credential_vault& vault_;
};

// `on_change`: see tools::mcp::servers_options.
tools::mcp::servers_options mcp_options_of(
    const config& settings, std::function<void(const std::optional<tenant_id>&)> on_change);

// Those of mcp.file, else of the file built in, which has none. Errors: config.invalid.
result<std::vector<tools::mcp::server_settings>> mcp_servers_of(const config& settings);

}  // namespace soma
