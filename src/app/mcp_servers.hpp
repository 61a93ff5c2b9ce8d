// Use cases of servers of the Model Context Protocol: what they are like, and a tenant's own. Each
// runs on its caller's io thread.
//
// Errors: mcp_server.invalid, mcp_server.exists, mcp_server.changed, mcp_server.not_found,
// quota.exceeded, server.busy, those of the store.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>
#include <vector>

#include "app/pipeline.hpp"
#include "core/secret_json.hpp"
#include "tools/mcp/servers.hpp"

namespace soma::app {

class services;
using tools::mcp::server_view;

// Does not block.
std::vector<server_view> list_mcp_servers(services& s, const caller& who);

struct mcp_server_wish {
  std::string name;
  std::shared_ptr<const secret_json> settings;  // an object: where it is, its token
  std::string if_match;                         // the etag that the caller saw; empty: any
};
boost::asio::awaitable<result<server_view>> put_mcp_server(services& s, const admitted& in,
                                                           mcp_server_wish wanted);
boost::asio::awaitable<result<void>> delete_mcp_server(services& s, const admitted& in,
                                                       std::string name, std::string if_match);

}  // namespace soma::app
