// Takes an event stream apart, fed in pieces cut anywhere: the data of its events, the last id and
// the wait before a reconnect; names of events and comments are passed over. Lines end in LF, CRLF
// or CR.
// Format: WHATWG HTML, "Server-sent events". Pure; owned by one stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace soma {

class sse_parser {
 public:
  using on_data = std::function<void(std::string_view data)>;

  // `bytes_max` bounds one line, and the data of one event.
  explicit sse_parser(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // False once a line or event was longer than allowed; nothing more is read then.
  bool feed(std::string_view bytes, const on_data& data);

  // The stream ended: a last event without its empty line still counts.
  bool finish(const on_data& data);

  // Of the last event that was complete, also where it had no data; empty: none had one.
  const std::string& last_event_id() const { return last_event_id_; }
  std::optional<std::uint32_t> retry_ms() const { return retry_ms_; }

 private:
  bool add_to_line(std::string_view bytes);
  bool blank_follows(std::string_view rest) const;
  // `last`: of its event.
  bool take_line(std::string_view line, bool last, const on_data& data);
  void dispatch(const on_data& data);

  std::size_t bytes_max_;
  std::string line_, data_, next_id_, last_event_id_;
  std::optional<std::uint32_t> retry_ms_;
  bool has_data_ = false, skip_lf_ = false, first_line_ = true, failed_ = false;
};

}  // namespace soma
