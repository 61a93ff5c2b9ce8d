// Records as bytes, which are the value of a Kafka record, and back. Pure.
//
//   8 bytes   checksum of all that follows (core/checksum.hpp)
//   number    format
//   number    kind: 1 born, 2 claim, 3 atom, 4 alive, 5 release, 6 format_opened; never reused
//   …         the members in the order of record.hpp, by packed_bytes.hpp
//
// The first two lines are the same in every format, so that a reader tells damage from what is
// newer than it.
#pragma once

#include <string>
#include <string_view>

#include "cluster/record.hpp"
#include "core/error.hpp"

namespace soma::cluster {

std::string encode(const record& one);

struct read_record {
  record one;
  std::uint64_t sum = 0;  // of its bytes: what digests are made of
};

// Errors: storage.corrupt (cut, damaged, or larger than record_bytes_max); storage.format (whole,
// but of a format or kind that this program does not know). Never reads past the bytes, never takes
// more memory than a few times their number.
result<read_record> decode(std::string_view bytes);

// Of bytes that `encode` gave.
std::uint64_t sum_of(std::string_view bytes);

}  // namespace soma::cluster
