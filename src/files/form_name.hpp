// A file's name as clients write it into a form: browsers, curl, Java, Go, Python, .NET. Pure; what
// comes out is UTF-8, and no safer than it was (see safe_filename).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace soma::files {

// Of `filename`: quotes as browsers write them (%22), a whole RFC 2047 word ("=?utf-8?B?…?=") as
// .NET does, bytes that are no UTF-8 as Windows-1252.
std::string form_name(std::string_view value);

// Of `filename*` (RFC 8187: charset'language'percent-encoded), which RFC 7578 forbids and .NET,
// Python's and many mail-minded clients send; without its marks it is UTF-8. Nullopt where its
// charset is another than UTF-8, ASCII, Latin-1 and Windows-1252, or it cannot be read.
std::optional<std::string> extended_form_name(std::string_view value);

}  // namespace soma::files
