// Writes JSON text in one pass into a caller's string: the encoder of events, which are written
// once per delta. Inserts commas itself; nesting is the caller's duty. Input strings are taken as
// UTF-8; invalid bytes become U+FFFD so that a frame is always valid UTF-8. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace soma {

// Appends `text` with JSON escapes, without the quotes.
void append_json_escaped(std::string& out, std::string_view text);

// Bytes that append_json_escaped would add.
std::size_t json_escaped_size(std::string_view text);

// As much of valid UTF-8 as takes at most `bytes_max` written so, ending between code points.
std::string_view json_fitting(std::string_view text, std::size_t bytes_max);

class json_writer {
 public:
  explicit json_writer(std::string& out) : out_(out) {}

  json_writer& begin_object() { return open('{'); }
  json_writer& end_object() { return close('}'); }
  json_writer& begin_array() { return open('['); }
  json_writer& end_array() { return close(']'); }
  json_writer& key(std::string_view name);
  json_writer& string(std::string_view value);
  json_writer& number(std::uint64_t value);
  json_writer& real(double value);  // shortest text that reads back the same; null if not finite
  json_writer& boolean(bool value);
  json_writer& null() { return raw("null"); }
  // a value that is JSON already; none at all is null; its line ends become spaces.
  json_writer& raw(std::string_view json);

  json_writer& field(std::string_view name, std::string_view value) {
    return key(name).string(value);
  }
  json_writer& field_if(std::string_view name, std::string_view value) {
    return value.empty() ? *this : field(name, value);
  }
  json_writer& field(std::string_view name, std::uint64_t value) { return key(name).number(value); }
  json_writer& field_bool(std::string_view name, bool value) { return key(name).boolean(value); }

 private:
  json_writer& open(char c);
  json_writer& close(char c);
  void separate();

  std::string& out_;
  bool first_ = true;
};

}  // namespace soma
