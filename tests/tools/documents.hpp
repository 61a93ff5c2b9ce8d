// Small documents made by the tests themselves: whole ones and broken ones.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace soma::testing {

using zip_parts = std::vector<std::pair<std::string, std::string>>;  // name, bytes

// `deflate`: packed, else stored as they are.
std::string zip_of(const zip_parts& parts, bool deflate = true);
std::string docx_of(const std::string& body_xml);
std::string xlsx_of(const std::string& sheet_xml, const std::string& strings_xml);
// One page a text.
std::string pdf_of(const std::vector<std::string>& pages);

}  // namespace soma::testing
