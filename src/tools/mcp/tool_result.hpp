// The result of a call, as a server sends it, for a model to read. Pure.
#pragma once

#include <boost/json/object.hpp>

#include "tools/tool_runner.hpp"

namespace soma::tools::mcp {

// Text is joined, structured content kept, images and the like are described. A result that says of
// itself that it is an error, or that asks for what we cannot give, is a failed outcome.
tool_outcome outcome_of(const boost::json::object& result);

}  // namespace soma::tools::mcp
