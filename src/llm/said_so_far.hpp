// How much of a text has been said in pieces, for providers that tell the whole of it once more at
// its end. Keeps no copy of it. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace soma::llm {

class said_so_far {
 public:
  void add(std::string_view piece) {
    mark_ = mark_over(piece, mark_);
    bytes_ += piece.size();
  }
  bool nothing() const { return bytes_ == 0; }

  // What of `whole` has not been said: all of it, its end, or nothing where another text was said.
  std::string_view missing_of(std::string_view whole) const {
    if (whole.size() <= bytes_ || mark_over(whole.substr(0, bytes_), mark_of_nothing) != mark_)
      return {};
    return whole.substr(bytes_);
  }

 private:
  // FNV-1a. Whoever makes two texts with one mark spoils the end of their own answer.
  static constexpr std::uint64_t mark_of_nothing = 14695981039346656037ull;
  static std::uint64_t mark_over(std::string_view text, std::uint64_t mark) {
    for (const char c : text) mark = (mark ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    return mark;
  }

  std::uint64_t mark_ = mark_of_nothing;
  std::size_t bytes_ = 0;
};

}  // namespace soma::llm
