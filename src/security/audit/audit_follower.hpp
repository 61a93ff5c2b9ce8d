// Records of a chain's folder from a number on, as they come: for whoever hands all of them on.
// Used by one thread; blocks on the disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace soma::security {

class audit_follower {
 public:
  struct record {
    std::uint64_t seq = 0;
    std::string line;  // without its end
  };

  // `next`: the number that is read first.
  audit_follower(std::string folder, std::uint64_t next)
      : folder_(std::move(folder)), next_(next) {}

  // Some, in their order; none: there are no more yet. Errors: storage.unavailable.
  result<std::vector<record>> more();

  // Reads on from there.
  void go_back(std::uint64_t next);

  // Numbers that were left out, since what had them was removed, or is no record.
  std::uint64_t left_out() const { return left_out_; }

 private:
  bool open_next();
  void take(std::string_view line, std::vector<record>& to);

  const std::string folder_;
  std::uint64_t next_;
  std::string path_;         // of the segment that is read; empty: none
  std::uint64_t first_ = 0;  // of it
  std::uint64_t at_ = 0;     // bytes of it that were read
  bool is_over_ = false;     // another one follows it, so nothing more comes into it
  std::uint64_t left_out_ = 0;
};

}  // namespace soma::security
