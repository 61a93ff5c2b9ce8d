// Lines on their way to a file or a pipe, written by a thread of their own, so that nobody who says
// something waits for the disk or for whoever reads it. What is waiting is bounded; a line for
// which there is no room is dropped and counted, and the count is told as soon as there is room.
//
// Thread-safe; `write` does not block. The destructor drops what waits: ask `flush` before. A pipe
// that nobody reads may keep the thread for good, so it is not waited for, and owns what it uses.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace soma {

class line_writer {
 public:
  struct options {
    // Called by the thread alone, with whole lines and their ends. False: none of them is written,
    // and they are tried again.
    std::function<bool(std::string_view)> sink;
    // What is written, without its end, when so many lines were dropped.
    std::function<std::string(std::uint64_t)> dropped_line;
    std::size_t bytes_max = 1024 * 1024;
    std::size_t gathered_bytes_max = 0;  // of what the sink is given at once; 0: one line
    // After a write the next lines are waited for so long, unless that much is there, or a flush
    // waits: many lines then cost few writes and few wake-ups.
    std::chrono::milliseconds gathered_for{0};
    std::chrono::milliseconds tried_again_after{500};
  };
  explicit line_writer(options how);
  ~line_writer();
  line_writer(const line_writer&) = delete;

  // Without its end; `in_front` is part of it. False: dropped.
  bool write(std::string_view line, std::string_view in_front = {});

  // Waits until what was given before is written, at most so long; what others give meanwhile is
  // not waited for. False: it is not.
  bool flush(std::chrono::milliseconds at_most);

  // Since it was made.
  std::uint64_t dropped() const;
  // Lines that are not written yet.
  std::size_t waiting() const;
  std::size_t waiting_bytes() const;  // of those, but for what the sink has

 private:
  struct state;
  std::shared_ptr<state> state_;  // shared with the thread, which may outlive this
};

// All of it, also where the descriptor takes it in pieces, is interrupted or was set not to block.
// False: it cannot be written (errno); `written` says how much was.
bool write_all(int descriptor, std::string_view bytes, std::size_t& written);

}  // namespace soma
