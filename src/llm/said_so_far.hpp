// How much of a text has been said in pieces, for providers that tell the whole of it once more at
// its end. Keeps no copy of it. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/fingerprint.hpp"

namespace soma::llm {

class said_so_far {
 public:
  void add(std::string_view piece) {
    mark_ = fingerprint(piece, mark_);
    bytes_ += piece.size();
  }
  bool nothing() const { return bytes_ == 0; }

  // What of `whole` has not been said: all of it, its end, or nothing where another text was said.
  std::string_view missing_of(std::string_view whole) const {
    if (whole.size() <= bytes_ || fingerprint(whole.substr(0, bytes_)) != mark_) return {};
    return whole.substr(bytes_);
  }

 private:
  // Whoever makes two texts with one mark spoils the end of their own answer.
  std::uint64_t mark_ = fingerprint_of_nothing;
  std::size_t bytes_ = 0;
};

}  // namespace soma::llm
