// Takes one member out of a JSON object as text on one line, numbers and order untouched. For
// documents that are passed on rather than understood. Pure.
#pragma once

#include <string>
#include <string_view>

namespace soma {

// Minified; empty when `object_json` is no object or has no such member. The caller has checked
// that the document as a whole is valid.
std::string json_member(std::string_view object_json, std::string_view name);

}  // namespace soma
