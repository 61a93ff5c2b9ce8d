// The parameters of a tool that a call repeats as headers. Pure.
// Format: revision 2026-07-28, "Custom Headers from Tool Parameters".
#pragma once

#include <boost/json/object.hpp>
#include <vector>

#include "core/error.hpp"
#include "tools/mcp/tool_list.hpp"

namespace soma::tools::mcp {

// Error: tool.schema_invalid where an annotation stands where none may, or is none.
result<std::vector<header_parameter>> header_parameters_of(const boost::json::object& schema);

}  // namespace soma::tools::mcp
