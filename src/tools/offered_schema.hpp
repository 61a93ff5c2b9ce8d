// A tool's JSON Schema as every provider of models takes it. Tools come with schemas of each draft
// and of no draft at all, providers refuse the whole request for a keyword in one of them: what is
// offered is of the part that they all know, and takes no less than the schema it was made from.
// Pure.
#pragma once

#include <string>
#include <string_view>

namespace soma::tools {

// What a schema may grow to when its references are put in their places: values, text, nesting.
inline constexpr std::size_t offered_values_max = 4000, offered_bytes_max = 64 * 1024,
                             offered_depth_max = 24;

// An object schema with `properties`: no references, booleans, tuples, regular expressions
// (`pattern` is told in the description) or keywords of a wrong kind, no alternatives at its root.
// What is no schema at all takes anything.
std::string offered_schema(std::string_view schema_json);

}  // namespace soma::tools
