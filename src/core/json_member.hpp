// JSON as text: one member of an object, numbers and order untouched; the same JSON in one
// spelling. For documents that are passed on rather than understood. Pure.
#pragma once

#include <string>
#include <string_view>

namespace soma {

// Minified; empty when `object_json` is no object or has no such member. The caller has checked
// that the document as a whole is valid.
std::string json_member(std::string_view object_json, std::string_view name);

// One spelling of all texts of the same JSON: members sorted by name, no white space, strings
// escaped in one way, numbers as they are. Empty for what is no object or list. For the hash of a
// request; its depth has been bounded.
std::string canonical_json(std::string_view json);

}  // namespace soma
