// A file descriptor that closes itself, pipes, and bytes given to a child as a file in memory.
// Everything is close-on-exec.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string_view>
#include <utility>

namespace soma::tools {

class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

struct pipe_ends {
  descriptor reading, writing;  // both empty where there is none to be had
};

inline pipe_ends make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  return {descriptor(ends[0]), descriptor(ends[1])};
}

// Reads from the beginning; empty where there is no memory or descriptor for it.
inline descriptor file_in_memory(std::string_view bytes) {
  descriptor file(memfd_create("input", MFD_CLOEXEC));
  while (file && !bytes.empty()) {
    const auto n = write(file.get(), bytes.data(), bytes.size());
    if (n <= 0) return {};
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (file) lseek(file.get(), 0, SEEK_SET);
  return file;
}

}  // namespace soma::tools
