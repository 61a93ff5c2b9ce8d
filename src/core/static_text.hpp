// A view of text that lasts as long as the program: it can only be made of a constant, at compile
// time, so no view of a temporary can be kept in one. A value; thread-safe; allocates nothing.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

namespace soma {

class static_text {
 public:
  constexpr static_text() = default;

  // The text is printable ASCII, as a header's value must be; anything else does not compile.
  template <class Text>
  requires std::convertible_to<const Text&, std::string_view> &&
      (!std::same_as<Text, std::string>)consteval static_text(const Text& text)
      : text_(text) {
    for (const char c : text_)
      if (c < 0x20 || c > 0x7e) throw "static_text holds a character that is not printable";
  }

  constexpr operator std::string_view() const { return text_; }
  constexpr bool empty() const { return text_.empty(); }
  friend constexpr bool operator==(static_text a, static_text b) { return a.text_ == b.text_; }

 private:
  std::string_view text_;
};

}  // namespace soma
