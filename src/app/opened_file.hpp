// A file of the disk that a door sends: in pieces, read where its use case says. A value.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "app/lanes.hpp"
#include "files/open_file.hpp"

namespace soma::app {

struct opened_file {
  std::shared_ptr<files::open_file> file;
  std::uint64_t size_bytes = 0;
  std::string version;        // of its bytes
  bool version_exact = true;  // false: two that came within a millisecond look the same
  std::string content_type, filename;
  lane* reads = nullptr;  // outlives whatever is sent
};

}  // namespace soma::app
