// The tools of a node and the policy over them: the rules, the catalog, the runner, what stands
// behind its entries, and the servers of tools. Gives the actors what is attached, as policy lets
// them have it.
//
// Thread-safe once it is open. Lifetime: what it needs outlives it, and it outlives the actors.
#pragma once

#include <memory>
#include <vector>

#include "actors/node.hpp"
#include "app/tool_gateway.hpp"
#include "core/config.hpp"
#include "core/tenant_places.hpp"
#include "memory/knowledge.hpp"
#include "memory/memories.hpp"
#include "node/feeds.hpp"
#include "node/files.hpp"
#include "node/identities.hpp"
#include "node/mcp_servers.hpp"
#include "node/session_policy.hpp"
#include "node/store.hpp"
#include "node/stored_catalog.hpp"
#include "security/policy/policy.hpp"
#include "tools/builtin/document_reader.hpp"
#include "tools/builtin/extractor.hpp"
#include "tools/catalog_runner.hpp"
#include "tools/egress/egress_proxy.hpp"
#include "tools/mcp/servers.hpp"
#include "tools/worker_pool.hpp"

namespace soma {

class node_tools final : public actors::picture_source {
 public:
  struct needs {
    const config& settings;
    node_store& store;
    node_files& files;
    node_feeds& feeds;
    memory::memories& memories;
    memory::knowledge& knowledge;
    node_identities& identities;
    security::pii::egress_guard& guard;
  };
  // Connects to the servers of tools, too. Blocks on the store. Errors: config.invalid
  // (policy.file, mcp.file), those of the store.
  static result<std::unique_ptr<node_tools>> open(const needs& from);
  ~node_tools();

  app::tool_gateway& gateway() { return gateway_; }
  tools::catalog_runner& runner() { return runner_; }
  // What tenants switched on and off, as it is stored by now. Blocks. Errors: the store's.
  result<void> follow_documents() { return catalog_.load(); }

  void load(const actors::llm_caller& who, std::vector<attachment_ref> files, done then) override;

 private:
  node_tools(const needs& from, std::unique_ptr<security::policy> rules,
             std::vector<tools::catalog_entry> entries);
  void add_built_in(const needs& from);
  std::vector<actors::loaded_picture> pictures_of(const actors::llm_caller& who,
                                                  const std::vector<attachment_ref>& files) const;

  security::pii::egress_guard& guard_;
  const std::unique_ptr<security::policy> policy_;
  const session_policy in_sessions_;
  stored_catalog store_;
  tools::attachment_source& attachments_;
  tools::catalog catalog_;
  tools::egress_proxy egress_;  // before what runs with leases of it
  tools::sandbox box_;
  tools::worker_pool workers_, fetchers_;
  tools::extractor reader_;
  // Documents that are being kept, by the API and by tools: each holds a thread.
  tenant_places imports_{1, 2};
  const tools::document_reader documents_;
  tools::catalog_runner runner_;  // after what its tools stand on
  stored_mcp_servers mcp_store_;
  tools::mcp::servers mcp_;  // after the runner, whose tools it adds
  app::tool_gateway gateway_;
};

}  // namespace soma
