#include "files/open_file.hpp"

#include <unistd.h>

#include <cerrno>

namespace soma::files {

open_file::~open_file() {
  if (handle_ >= 0) ::close(handle_);
}

std::string open_file::read(std::uint64_t at, std::size_t bytes) const {
  if (sealed_) {
    auto piece = sealed_->read(handle_, at, bytes);
    return piece ? std::move(*piece) : std::string();
  }
  std::string piece(bytes, '\0');
  ssize_t got = 0;
  do {
    got = ::pread(handle_, piece.data(), piece.size(), static_cast<off_t>(at));
  } while (got < 0 && errno == EINTR);
  piece.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return piece;
}

}  // namespace soma::files
