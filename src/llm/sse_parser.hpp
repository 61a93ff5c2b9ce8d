// Takes a provider's event stream apart, fed in pieces cut anywhere. Only `data` matters to chat
// completions; event names, ids, retry and comments are passed over. Lines end in LF, CRLF or CR.
// Format: WHATWG HTML, "Server-sent events". Pure; owned by one stream.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace soma::llm {

class sse_parser {
 public:
  using on_data = std::function<void(std::string_view data)>;

  // `bytes_max` bounds one line, and the data of one event.
  explicit sse_parser(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // False once a line or event was longer than allowed; nothing more is read then.
  bool feed(std::string_view bytes, const on_data& data);

  // The stream ended: a last event without its empty line still counts.
  bool finish(const on_data& data);

 private:
  bool add_to_line(std::string_view bytes);
  bool end_line(const on_data& data);
  void dispatch(const on_data& data);

  std::size_t bytes_max_;
  std::string line_, data_;
  bool has_data_ = false, skip_lf_ = false, first_line_ = true, failed_ = false;
};

}  // namespace soma::llm
