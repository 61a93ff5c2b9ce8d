#include "llm/sse_parser.hpp"

namespace soma::llm {

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
    if (!add_to_line(bytes.substr(0, end))) return false;
    if (end == bytes.npos) return true;
    skip_lf_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (!end_line(data)) return false;
  }
  return !failed_;
}

bool sse_parser::finish(const on_data& data) {
  if (failed_) return false;
  if (!line_.empty() && !end_line(data)) return false;
  dispatch(data);
  return true;
}

bool sse_parser::add_to_line(std::string_view bytes) {
  failed_ = failed_ || line_.size() + bytes.size() > bytes_max_;
  if (!failed_) line_ += bytes;
  return !failed_;
}

bool sse_parser::end_line(const on_data& data) {
  std::string_view line = line_;
  if (first_line_ && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  first_line_ = false;
  if (line.empty()) {
    dispatch(data);
  } else if (line == "data" || line.starts_with("data:")) {
    line.remove_prefix(line.size() == 4 ? 4 : 5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (has_data_) data_ += '\n';
    failed_ = data_.size() + line.size() > bytes_max_;
    if (!failed_) data_ += line;
    has_data_ = true;
  }
  line_.clear();
  return !failed_;
}

void sse_parser::dispatch(const on_data& data) {
  if (!has_data_) return;
  has_data_ = false;
  data(data_);
  data_.clear();
}

}  // namespace soma::llm
