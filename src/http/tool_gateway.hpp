// What the routes need of tools and policy. Thread-safe; outlives the server.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string_view>

#include "http/request_context.hpp"
#include "http/response.hpp"
#include "security/audit_log.hpp"
#include "security/policy.hpp"
#include "tools/catalog_runner.hpp"

namespace soma::tools::mcp {
class servers;
}

namespace soma::http {

struct tool_gateway {
  tools::catalog& catalog;
  tools::catalog_runner& runner;
  const security::policy& policy;
  security::audit_log& audit;
  tools::mcp::servers& mcp;
};

security::decision judge(const tool_gateway& tools, const identity& who, std::string_view action,
                         std::string_view resource = {});

// The refusal where policy does not allow it: 403 policy.denied, with the rule; audited. Else
// nothing.
std::optional<response> denied(const tool_gateway& tools, const request_context& ctx,
                               std::string_view action, std::string_view resource = {});

}  // namespace soma::http
