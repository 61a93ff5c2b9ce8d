// The name of a tool as model providers are told of it: they take letters, digits, underscores and
// dashes, 64 of them at most, where ids of the catalog have dots and may be longer. Pure.
#pragma once

#include <string>
#include <string_view>

namespace soma::tools {

inline constexpr std::size_t provider_name_bytes_max = 64;

// A dot becomes two underscores. Where another id would have the same name so, or it would be too
// long, it is cut and ends in a hash of the id: different ids have different names. Which id a name
// is of is looked up among those that were offered.
std::string provider_name(std::string_view tool_id);

}  // namespace soma::tools
