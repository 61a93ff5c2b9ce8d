// What kind of file some bytes are, told from the bytes alone and never from a name or a claim; and
// what a name may be.
//
// Thread-safe: each thread has its own libmagic handle, loaded on first use.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace soma::files {

// How much of a file's beginning is looked at.
inline constexpr std::size_t type_bytes_max = 64 * 1024;

// A media type such as text/plain or application/pdf. Text says nothing of its kind, so there a
// claim that is text as well is taken over (text/csv). Where nothing is known:
// application/octet-stream.
std::string file_type_of(std::string_view beginning, std::string_view claimed = {});

// Whether one of the patterns (`type/name`, `type/*`) takes this media type.
bool type_matches(const std::vector<std::string>& patterns, std::string_view media_type);

// A name without folders, control characters, bytes that are no UTF-8, or leading and trailing
// blanks and dots that would hide it or mean a folder; at most 200 bytes, cut between characters
// and before its ending. Never empty.
std::string safe_filename(std::string_view given);

}  // namespace soma::files
