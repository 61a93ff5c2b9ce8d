#include "core/sse_parser.hpp"

#include <charconv>

namespace soma {

bool sse_parser::feed(std::string_view bytes, const on_data& data) {
  while (!bytes.empty() && !failed_) {
    if (skip_lf_) {
      skip_lf_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const auto end = bytes.find_first_of("\r\n");
    if (end == bytes.npos) return add_to_line(bytes);
    std::string_view line = bytes.substr(0, end);
    skip_lf_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    // A line that came whole is looked at where it is.
    if (line_.empty()) {
      failed_ = line.size() > bytes_max_;
    } else if (add_to_line(line)) {
      line = line_;
    }
    if (failed_ || !take_line(line, blank_follows(bytes), data)) return false;
    line_.clear();
  }
  return !failed_;
}

bool sse_parser::blank_follows(std::string_view rest) const {
  if (skip_lf_ && rest.starts_with('\n')) rest.remove_prefix(1);
  return rest.starts_with('\n') || rest.starts_with('\r');
}

bool sse_parser::finish(const on_data& data) {
  if (failed_) return false;
  if (!line_.empty() && !take_line(line_, false, data)) return false;
  line_.clear();
  dispatch(data);
  return true;
}

bool sse_parser::add_to_line(std::string_view bytes) {
  failed_ = failed_ || line_.size() + bytes.size() > bytes_max_;
  if (!failed_) line_ += bytes;
  return !failed_;
}

bool sse_parser::take_line(std::string_view line, bool last, const on_data& data) {
  if (first_line_ && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  first_line_ = false;
  if (line.empty()) {
    dispatch(data);
  } else if (line == "data" || line.starts_with("data:")) {
    line.remove_prefix(line.size() == 4 ? 4 : 5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (last && !has_data_) {  // an event's only one, which is not copied either
      last_event_id_ = next_id_;
      data(line);
      return true;
    }
    if (has_data_) data_ += '\n';
    failed_ = data_.size() + line.size() > bytes_max_;
    if (!failed_) data_ += line;
    has_data_ = true;
  } else if (line.starts_with("id:")) {
    line.remove_prefix(line.starts_with("id: ") ? 4 : 3);
    if (line.find('\0') == line.npos) next_id_ = line;
  } else if (line.starts_with("retry:")) {
    line.remove_prefix(line.starts_with("retry: ") ? 7 : 6);
    std::uint32_t ms = 0;
    const auto [end, ec] = std::from_chars(line.data(), line.data() + line.size(), ms);
    if (ec == std::errc() && end == line.data() + line.size()) retry_ms_ = ms;
  }
  return !failed_;
}

void sse_parser::dispatch(const on_data& data) {
  last_event_id_ = next_id_;
  if (!has_data_) return;
  has_data_ = false;
  data(data_);
  data_.clear();
}

}  // namespace soma
