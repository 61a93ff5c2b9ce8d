// Records of a chain's folder, oldest first, in pieces: for whoever takes all of them. Segments
// that are removed meanwhile are left out. Used by one thread at a time; blocks on the disk.
#pragma once

#include <cstdint>
#include <string>

#include "core/error.hpp"
#include "security/audit/audit_search.hpp"

namespace soma::security {

class audit_reader {
 public:
  audit_reader(std::string folder, audit_filter wanted)
      : folder_(std::move(folder)), wanted_(std::move(wanted)) {}

  // Whole lines, some hundred kilobytes; empty at the end, or where `looked_max` bytes had none:
  // then `ended` says which. Errors: storage.unavailable.
  result<std::string> next();
  bool ended() const { return ended_; }

 private:
  bool open_next();

  const std::string folder_;
  const audit_filter wanted_;
  std::string path_;         // of the segment that is read; empty: none yet
  std::uint64_t first_ = 0;  // of it
  std::uint64_t at_ = 0;     // bytes of it that were read
  bool is_over_ = false;     // another one follows it, so nothing more comes into it
  bool ended_ = false;
};

}  // namespace soma::security
