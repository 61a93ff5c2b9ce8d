// What use cases need of tools and policy. Thread-safe; outlives the doors.
#pragma once

#include <optional>
#include <string_view>

#include "app/caller.hpp"
#include "security/audit/audit_log.hpp"
#include "security/policy/policy.hpp"
#include "tools/catalog_runner.hpp"

namespace soma::tools {
class document_reader;
}
namespace soma::tools::mcp {
class servers;
}

namespace soma::app {

struct tool_gateway {
  tools::catalog& catalog;
  tools::catalog_runner& runner;
  security::policy& policy;
  security::audit_log& audit;
  tools::mcp::servers& mcp;
  const tools::document_reader& documents;
};

// For a thread that may wait.
security::decision judge_waiting(const tool_gateway& tools, const caller& who,
                                 std::string_view action, std::string_view resource = {});

}  // namespace soma::app
