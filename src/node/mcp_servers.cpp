#include "node/mcp_servers.hpp"

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "core/loopback.hpp"
#include "core/time.hpp"
#include "core/version.hpp"
#include "embedded/soma_embedded_config.hpp"
#include "storage/documents.hpp"

namespace soma {
namespace {

constexpr std::string_view collection = "mcp";

std::string key_of(const tenant_id& tenant, const std::string& name) {
  return tenant.value + '\n' + name;
}

// No provider of models has a name with a colon.
std::string vault_name(const std::string& server) {
  return "mcp:" + server;
}

}  // namespace

result<std::vector<tools::mcp::server_store::row>> stored_mcp_servers::load() {
  std::vector<row> rows;
  const auto take = [&](const std::string& key, std::string& document) -> result<void> {
    if (const auto cut = key.find('\n'); cut != key.npos)
      rows.push_back({tenant_id(key.substr(0, cut)), key.substr(cut + 1), std::move(document)});
    return {};
  };
  if (auto read = storage::each_document(log_, collection, "", take); !read) return read.error();
  return rows;
}

result<void> stored_mcp_servers::put(const row& kept) {
  return log_.put_document(collection, key_of(kept.tenant, kept.name), kept.json);
}

result<void> stored_mcp_servers::remove(const tenant_id& tenant, const std::string& name) {
  return log_.delete_document(collection, key_of(tenant, name));
}

result<secret_string> stored_mcp_servers::token(const tenant_id& tenant, const std::string& name) {
  auto opened = vault_.open(tenant, vault_name(name));
  if (!opened) return opened.error();
  return *opened ? std::move(**opened) : secret_string();
}

result<void> stored_mcp_servers::keep_token(const tenant_id& tenant, const std::string& name,
                                            const secret_string& token) {
  if (token.empty()) {
    if (!vault_.view(tenant, vault_name(name))) return {};
    return vault_.remove(tenant, vault_name(name));
  }
  auto kept = vault_.put(tenant, vault_name(name), token, now_ms());
  return kept ? result<void>() : result<void>(kept.error());
}

tools::mcp::servers_options mcp_options_of(
    const config& settings, std::function<void(const std::optional<tenant_id>&)> on_change) {
  const auto& allowed = settings.text("mcp.allow_private_urls");
  tools::mcp::servers_options out;
  out.client_version = version;
  out.allow_private =
      allowed == "true" || (allowed == "auto" && is_loopback(settings.text("server.host")));
  out.allow_commands = settings.flag("mcp.allow_commands");
  out.ca_file = settings.text("mcp.ca_file");
  out.on_change = std::move(on_change);
  return out;
}

result<std::vector<tools::mcp::server_settings>> mcp_servers_of(const config& settings) {
  const auto& path = settings.text("mcp.file");
  if (path.empty())
    return tools::mcp::parse_servers(embedded::find_soma_embedded_config("mcp.toml"));
  const auto text = text_of_file(path, config_bytes_max);
  if (!text) return error(codes::config_invalid, "mcp.file: " + text.error().detail);
  auto read = tools::mcp::parse_servers(*text);
  if (!read) return error(codes::config_invalid, path + ": " + read.error().detail);
  return read;
}

}  // namespace soma
