// Use cases of the audit: what is recorded, for the admins of a tenant. They see the records of
// their tenant, and those of the operator's tenant the node's own, too. Each runs on its caller's
// io thread and waits on a lane; what was recorded before it was asked is found.
//
// Errors: server.busy, storage.unavailable, and what stands at each.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/caller.hpp"
#include "app/piece_source.hpp"
#include "core/error.hpp"
#include "security/audit/audit_search.hpp"

namespace soma::app {

class services;

// Whose tenant is asked about says the caller.
using audit_filter = security::audit_filter;
// Lines of JSON as they are kept, the newest first. A page may be short and not the last.
using audit_page = security::audit_page;

boost::asio::awaitable<result<audit_page>> list_audit(services& s, const caller& who,
                                                      audit_filter wanted, std::uint64_t before,
                                                      std::size_t limit);
// Errors: audit.not_found.
boost::asio::awaitable<result<std::string>> find_audit_record(services& s, const caller& who,
                                                              std::uint64_t seq);
// The newest head, JSON; made now where records came since the last one, and on the disk. Errors:
// dependency.unavailable where that cannot be done in time.
boost::asio::awaitable<result<std::string>> audit_head_now(services& s, const caller& who);
// Waits until what was recorded before is signed and on the disk, where it can be had in time.
boost::asio::awaitable<void> sync_audit(services& s, tenant_id whose);
// All that fit, oldest first, a line each.
boost::asio::awaitable<result<std::shared_ptr<piece_source>>> export_audit(services& s,
                                                                           const caller& who,
                                                                           audit_filter wanted);

}  // namespace soma::app
