// All servers of the Model Context Protocol: those of the configuration, which every tenant has,
// and those that a tenant's admin added. Keeps the catalog and the runner in step with what they
// list.
//
// Thread-safe; `put` and `remove` block on the store. Lifetime: what is in the parts outlives it;
// its destructor ends the connections and their programs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/ids.hpp"
#include "core/may_block.hpp"
#include "tools/catalog_runner.hpp"
#include "tools/mcp/mcp_tool.hpp"
#include "tools/mcp/server_settings.hpp"

namespace soma::tools::mcp {

// Where tenants' servers are kept, and their tokens, sealed. Thread-safe, blocks on the disk.
class server_store {
 public:
  struct row {
    tenant_id tenant;
    std::string name, json;  // as it was given, without its token
  };
  virtual ~server_store() = default;
  virtual result<std::vector<row>> load() = 0;
  virtual result<void> put(const row& kept) = 0;
  virtual result<void> remove(const tenant_id& tenant, const std::string& name) = 0;
  // Empty: there is none.
  virtual result<secret_string> token(const tenant_id& tenant, const std::string& name) = 0;
  // An empty one removes.
  virtual result<void> keep_token(const tenant_id& tenant, const std::string& name,
                                  const secret_string& token) = 0;
};

struct servers_options {
  std::string client_version;
  bool allow_private = false;   // of tenants' servers
  bool allow_commands = false;  // of tenants' servers
  std::string ca_file;          // PEM; empty: the system's authorities
  // The tools of a tenant (of all: none) are others now; from any thread.
  std::function<void(const std::optional<tenant_id>&)> on_change{};
};

struct servers_parts {
  catalog& tools;
  catalog_runner& runner;
  sandbox& box;
  server_store& store;
};

struct server_view {
  std::string name, source;        // configuration, tenant
  std::string transport, address;  // stdio or http; the program, or the URL without its query
  std::string state, revision, server, last_error, last_words;
  std::vector<std::string> tools, left_out;
  std::size_t left_out_count = 0;
  bool has_token = false;
  std::string etag;  // of its settings, quoted
};

class servers {
 public:
  servers(servers_parts parts, servers_options options);
  ~servers();

  // Once, with those of the configuration; connects to them and to those that are stored.
  // Errors: those of the store, config.invalid for a token that cannot be read.
  result<void> start(std::vector<server_settings> configured);

  // Those of the configuration and the tenant's own, by name.
  std::vector<server_view> list(const tenant_id& tenant) const;
  // Errors: mcp_server.invalid, mcp_server.exists (it is one of the configuration),
  // mcp_server.changed (its ETag is not `if_match`), quota.exceeded, those of the store.
  result<server_view> put(const tenant_id& tenant, const std::string& name,
                          const boost::json::object& body, std::string_view if_match);
  // Errors: mcp_server.not_found and those of `put`.
  result<void> remove(const tenant_id& tenant, const std::string& name, std::string_view if_match);

 private:
  struct entry;
  using key = std::pair<tenant_id, std::string>;  // an empty tenant: of the configuration

  result<void> read_token(server_settings& of) const;
  void add(const tenant_id& tenant, server_settings settings, std::string etag);
  void end(const std::shared_ptr<entry>& one, const std::string& why);
  void connect(const std::shared_ptr<entry>& one);
  void refresh(const std::shared_ptr<entry>& one);
  void publish(entry& one, const tool_list& listed);
  std::shared_ptr<entry> find(const tenant_id& tenant, const std::string& name) const;
  std::size_t programs() const;
  result<void> may_change(const tenant_id& tenant, const std::string& name,
                          std::string_view if_match) const;

  const servers_parts parts_;
  const servers_options options_;
  disk_mutex change_mutex_;  // of put and remove as a whole
  mutable quick_mutex mutex_;
  std::map<key, std::shared_ptr<entry>> entries_;
  loop loop_;
};

}  // namespace soma::tools::mcp
