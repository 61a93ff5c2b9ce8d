// Tools as a server lists them, judged: what a server says is believed in nothing but its name, its
// text and its schema, each within limits. What does not fit is left out, with the reason. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/input_schema.hpp"

namespace soma::tools::mcp {

// A parameter that is repeated as a header (`x-mcp-header` of revision 2026-07-28).
struct header_parameter {
  std::string header;             // with its prefix
  std::vector<std::string> path;  // of members, from the inputs down
};

struct listed_tool {
  std::string name, title, description;
  std::string inputs_json, outputs_json;
  std::string offered_json;  // the inputs as models are told of them
  input_schema inputs;
  std::vector<header_parameter> headers;
};

struct tool_list {
  std::vector<listed_tool> tools;
  std::vector<std::string> left_out;  // "name: why", the first few
  std::size_t left_out_count = 0;
  std::set<std::string> names;
};

// Adds the tools of one page. False where there are too many altogether. `over_http`: tools whose
// header annotations are not allowed are left out.
bool add_page(tool_list& to, boost::json::object& page, bool over_http);

// The schema that inputs are judged by here: without what costs more than the inputs are long
// (regular expressions) and what refers elsewhere ($ref). The server judges by all of it.
std::string judged_schema(std::string_view schema_json);

// The headers of a call with these inputs; what is missing or null is left out.
std::vector<std::pair<std::string, std::string>> headers_of(
    const std::vector<header_parameter>& parameters, const boost::json::object& inputs);

// A value as a header has it: plain ASCII as it is, all else in base64.
std::string header_value(std::string_view text);

}  // namespace soma::tools::mcp
