// The bytes of a page or a text of the web as UTF-8, by what a byte order mark, its Content-Type,
// its own `meta` or XML declaration, and the bytes themselves say, in this order; what says UTF-8
// wrongly, or nothing, is Windows-1252 where it can be nothing else. Pure.
#pragma once

#include <string>
#include <string_view>

namespace soma::tools {

// Bytes of no encoding that is known come back as they are. What a page says of its encoding says
// UTF-8 afterwards.
std::string page_text(std::string bytes, std::string_view content_type);

}  // namespace soma::tools
