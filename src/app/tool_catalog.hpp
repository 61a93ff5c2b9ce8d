// Use cases of tools: which there are, a tenant's changes to them, and running one by hand. Each
// runs on its caller's io thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/once.hpp"
#include "app/pipeline.hpp"
#include "core/session_core.hpp"
#include "tools/catalog.hpp"

namespace soma::app {

class services;

struct listed_tools {
  struct one {
    const tools::catalog_entry* entry;  // of `set`
    std::string unavailable;            // why it cannot run on this machine; empty where it can
  };
  std::vector<one> tools;
  std::shared_ptr<const tools::tool_set> set;
  std::string etag;  // quoted
  std::int64_t max_age_s = 0;
};
// Those that the caller can run now. Errors: dependency.unavailable, where policy cannot be asked.
boost::asio::awaitable<result<listed_tools>> list_tools(services& s, const caller& who);
// Does not block.
listed_tools read_tool_catalog(services& s, const caller& who);

struct changed_tool {
  tools::catalog_entry entry;
  std::string unavailable;  // as above
  std::string etag;         // of the catalog now, quoted
};
// `change_json`: as PUT gives it, in whatever spelling; it stands in the record of the change.
// Errors: tool.unknown, tool.entry_invalid, tool.entry_changed, server.busy, those of the store.
boost::asio::awaitable<result<changed_tool>> change_tool(services& s, admitted& in,
                                                         std::string tool_id,
                                                         std::string change_json,
                                                         std::string if_match);

// Whether the call could run is judged before anything is written: who calls by hand gets an
// answer, where a model gets an event. Errors: tool.unknown, tool.disabled, tool.unavailable, those
// of the inputs, policy.denied, and those of the session's command and of the idempotency gate.
boost::asio::awaitable<result<answered<command_reply>>> request_tool(
    services& s, const admitted& in, once_key once, session_id session, input::tool_request call);

}  // namespace soma::app
