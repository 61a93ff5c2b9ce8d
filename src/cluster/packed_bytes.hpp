// Numbers and texts as bytes, for records and stored states: numbers in groups of seven bits, the
// least first; a text is its size, then it. Pure. A reader takes any bytes: once something does not
// fit, it is not good and gives zeros and empty texts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace soma::cluster {

class packed_writer {
 public:
  explicit packed_writer(std::string& out) : out_(out) {}

  void number(std::uint64_t left) {
    for (; left > 0x7F; left >>= 7) out_ += static_cast<char>(left | 0x80);
    out_ += static_cast<char>(left);
  }
  // Small whatever its sign.
  void sign_and_number(std::int64_t value) {
    number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }
  void word(std::uint64_t value) {  // eight bytes, the least first
    for (int shift = 0; shift < 64; shift += 8) out_ += static_cast<char>(value >> shift);
  }
  void text(std::string_view value) {
    number(value.size());
    out_ += value;
  }

 private:
  std::string& out_;
};

class packed_reader {
 public:
  explicit packed_reader(std::string_view bytes) : left_(bytes) {}

  bool all_taken() const { return good_ && left_.empty(); }
  bool good() const { return good_; }
  void fail() { good_ = false; }

  std::uint64_t number(std::uint64_t max = UINT64_MAX) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; good_; shift += 7) {
      if (left_.empty() || shift > 63) {
        fail();
        break;
      }
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      if (shift == 63 && (byte & 0x7F) > 1) fail();
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (!(byte & 0x80)) break;
    }
    if (value > max) fail();
    return good_ ? value : 0;
  }
  std::int64_t sign_and_number() {
    const auto value = number();
    return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
  }
  std::uint64_t word() {
    if (left_.size() < 8) fail();
    if (!good_) return 0;
    std::uint64_t value = 0;
    for (int at = 0; at < 8; ++at)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(left_[at])) << (8 * at);
    left_.remove_prefix(8);
    return value;
  }
  bool flag() { return number(1) == 1; }
  // Of what takes a byte at least each: no count is believed that cannot be.
  std::size_t count() {
    const auto value = number();
    if (value > left_.size()) fail();  // of what is behind it
    return good_ ? value : 0;
  }
  std::string text() {
    const auto size = count();
    std::string value(left_.substr(0, size));
    left_.remove_prefix(size);
    return value;
  }

 private:
  std::string_view left_;
  bool good_ = true;
};

}  // namespace soma::cluster
