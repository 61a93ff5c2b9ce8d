// Any line of a server gives messages or an error, and any page of tools and any result is taken or
// refused, in bounded time; what is shown of it is one line of valid text.
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tools/mcp/message.hpp"
#include "tools/mcp/tool_list.hpp"
#include "tools/mcp/tool_result.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace soma::tools;
  auto read = mcp::read_messages({reinterpret_cast<const char*>(data), size});
  if (!read) {
    if (read.error().detail.empty()) std::abort();
    return 0;
  }
  for (auto& one : *read) {
    if (one.message.find('\n') != std::string::npos) std::abort();
    if (mcp::outcome_of(one.body).status.empty()) std::abort();
    mcp::tool_list listed;
    mcp::add_page(listed, one.body, true);
    for (const auto& tool : listed.tools) {
      (void)tool.inputs.read(R"({"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"})");
      (void)mcp::headers_of(tool.headers, one.body);
    }
  }
  return 0;
}
