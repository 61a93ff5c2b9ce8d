#include "app/mcp_servers.hpp"

#include "app/on_writes.hpp"
#include "app/services.hpp"
#include "app/tool_gateway.hpp"

namespace soma::app {

namespace asio = boost::asio;

std::vector<server_view> list_mcp_servers(services& s, const caller& who) {
  return s.tools.mcp.list(who.tenant);
}

asio::awaitable<result<server_view>> put_mcp_server(services& s, const admitted& in,
                                                    mcp_server_wish wanted) {
  auto put = [&servers = s.tools.mcp, tenant = in.who().tenant, wanted = std::move(wanted)] {
    return servers.put(tenant, wanted.name, wanted.settings->reveal().as_object(), wanted.if_match);
  };
  co_return co_await on_writes(s, in.who().tenant, put);
}

asio::awaitable<result<void>> delete_mcp_server(services& s, const admitted& in, std::string name,
                                                std::string if_match) {
  auto remove = [&servers = s.tools.mcp, tenant = in.who().tenant, name = std::move(name),
                 if_match = std::move(if_match)] { return servers.remove(tenant, name, if_match); };
  co_return co_await on_writes(s, in.who().tenant, remove);
}

}  // namespace soma::app
