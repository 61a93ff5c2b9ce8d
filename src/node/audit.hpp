// The audit of a node: its file, open from the start to the end. Thread-safe.
#pragma once

#include <memory>

#include "core/config.hpp"
#include "core/error.hpp"
#include "security/audit/audit_log.hpp"

namespace soma {

// audit.file, else one in the data folder. Blocks on it. Errors: those of open_audit_file.
result<std::unique_ptr<security::audit_log>> open_node_audit(const config& settings);

// At the end, when nobody writes any more: waits for what is on its way, but not for a disk that is
// full; what is lost then is logged.
void flush_at_end(security::audit_log& audit);

}  // namespace soma
