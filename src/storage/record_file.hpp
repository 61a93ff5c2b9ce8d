// RocksDB's files of records, write-ahead logs and MANIFESTs, judged more strictly than RocksDB
// does. At its own recovery it takes what it finds for the end of the file, and drops all that
// follows without a word, when one bit of a record's type makes it one of a recycled file's, when a
// length in the last block points past the end, or when a header is zeros. Here only that is the
// torn end of a write which an interrupted write can leave: a prefix of records, or one that goes
// on in zeros to the end of the file, as a file system leaves it that knew the file's new size
// before its bytes when the power went.
//
// The format (docs/event-log.md): blocks of 32 KiB; a record is the masked CRC-32C of type and
// payload (4 bytes), length (2), both little-endian, type (1: whole, 2: first, 3: middle, 4: last
// piece) and payload; fewer than seven bytes at a block's end are left empty.
// Pure but for reading the file. Private to storage.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace soma::storage {

enum class record_check {
  headers,    // of all blocks; checksums in the last block alone: what RocksDB fails to see
  everything  // checksums too
};

struct record_damage {
  std::uint64_t offset = 0;  // of the record's header
  std::string what;
};

struct record_file_state {
  std::uint64_t size = 0;
  std::uint64_t good_bytes = 0;  // whole records end here; damage or a torn write follows, if any
  std::optional<std::uint64_t> zeros_from;  // the end is torn, and zeros from here on
  std::optional<record_damage> damage;
};

// Whole records in order, put together from their pieces; those behind the damage as well, from the
// next block on. Called with record_check::everything alone.
struct found_record {
  std::uint64_t offset = 0;
  std::string_view payload;
  bool behind_damage = false;
};
using record_visitor = std::function<void(const found_record&)>;

// Errors: storage.unavailable (cannot be read).
result<record_file_state> check_record_file(const std::string& path, record_check how,
                                            const record_visitor& visit = {});

}  // namespace soma::storage
