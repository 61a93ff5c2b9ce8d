// The result of a call, as a server sends it, for a model to read. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <string_view>

#include "tools/tool_runner.hpp"

namespace soma::tools::mcp {

// Text is joined, structured content kept, images and the like are described. A result that says of
// itself that it is an error, or that asks for what we cannot give, is a failed outcome.
// `structured_json`: the result's structuredContent as the server wrote it; empty: as parsed.
tool_outcome outcome_of(const boost::json::object& result, std::string_view structured_json = {});

}  // namespace soma::tools::mcp
