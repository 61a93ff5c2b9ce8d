// Server-sent events as bytes: cutting a stream into frames and checking that ids are dense.
// The scan costs one memchr a line, so that a reader is cheap beside the server it measures.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace soma::bench {

struct sse_frame {
  std::string_view id, event, data;  // without the field's name; empty when absent
  bool has_data = false;
};

// Calls f(const sse_frame&) for each whole block (fields ended by an empty line) at the front of
// `text` and returns the bytes used. Blocks of comments alone are frames without fields.
template <class F>
std::size_t scan_frames(std::string_view text, F&& f) {
  std::size_t used = 0;
  sse_frame frame;
  const char* const end = text.data() + text.size();
  for (const char* line = text.data(); line < end;) {
    const auto* newline =
        static_cast<const char*>(std::memchr(line, '\n', static_cast<std::size_t>(end - line)));
    if (newline == nullptr) break;
    const std::string_view content(line, static_cast<std::size_t>(newline - line));
    if (content.empty()) {
      f(static_cast<const sse_frame&>(frame));
      frame = {};
      used = static_cast<std::size_t>(newline + 1 - text.data());
    } else if (content.starts_with("id: ")) {
      frame.id = content.substr(4);
    } else if (content.starts_with("event: ")) {
      frame.event = content.substr(7);
    } else if (content.starts_with("data:")) {
      frame.data = content.substr(content.starts_with("data: ") ? 6 : 5);
      frame.has_data = true;
    }
    line = newline + 1;
  }
  return used;
}

enum class id_form {
  epoch_seq,  // SomaAgent01: "<epoch>.<seq>", seq + 1 from event to event
  time_tag,   // nchan: "<seconds>:<tag>", tag + 1 within a second, 0 in a new one
};

// Follows one stream's ids. A block with an id and no data only tells the position.
class order_check {
 public:
  explicit order_check(id_form form) : form_(form) {}

  void see(const sse_frame& frame) {
    if (frame.id.empty()) return;
    std::uint64_t major = 0, minor = 0;
    const char* const end = frame.id.data() + frame.id.size();
    const auto first = std::from_chars(frame.id.data(), end, major);
    if (first.ptr < end) std::from_chars(first.ptr + 1, end, minor);
    if (frame.has_data) {
      ++events_;
      if (known_) judge(major, minor);
    }
    known_ = true;
    major_ = major, minor_ = minor;
  }

  std::uint64_t events() const { return events_; }
  std::uint64_t gaps() const { return gaps_; }        // something was left out before an event
  std::uint64_t repeats() const { return repeats_; }  // an event came again or out of order

 private:
  void judge(std::uint64_t major, std::uint64_t minor) {
    const bool next = form_ == id_form::epoch_seq ? minor == minor_ + 1
                      : major == major_           ? minor == minor_ + 1
                                                  : major > major_ && minor == 0;
    if (next) return;
    const bool back = form_ == id_form::epoch_seq
                          ? minor <= minor_
                          : major < major_ || (major == major_ && minor <= minor_);
    ++(back ? repeats_ : gaps_);
  }

  id_form form_;
  bool known_ = false;
  std::uint64_t major_ = 0, minor_ = 0;
  std::uint64_t events_ = 0, gaps_ = 0, repeats_ = 0;
};

}  // namespace soma::bench
