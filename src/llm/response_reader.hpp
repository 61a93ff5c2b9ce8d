// Reads one HTTP/1.1 response out of bytes, without a socket: Beast's parser behind our own face,
// so that Beast is compiled in one file. Interim (1xx) responses are passed over. Owned by one
// stream.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace soma::llm {

class response_reader {
 public:
  using on_body = std::function<void(std::string_view bytes)>;

  explicit response_reader(on_body body);
  ~response_reader();

  // False when this is not HTTP. Bytes after the end of the response are refused too.
  bool feed(std::string_view bytes);

  // The connection has ended. True when that is how this response ends.
  bool end_of_connection();

  bool has_header() const;
  bool done() const;
  bool keep_alive() const;  // once done
  unsigned status() const;  // once has_header
  // Of content-encoding, retry-after and retry-after-ms, in small letters; others are not kept.
  std::string header(std::string_view name) const;

 private:
  struct parser;
  on_body body_;
  std::unique_ptr<parser> parser_;
  std::string unread_;
  bool at_start_ = true;  // of a status line
};

}  // namespace soma::llm
