#include "app/import_spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "core/codes.hpp"
#include "storage/disk_append.hpp"

namespace soma::app {
namespace {

constexpr std::size_t piece_bytes = 256 * 1024;

error disk_error(int number) {
  const bool full = number == ENOSPC || number == EDQUOT;
  return {full ? codes::storage_full : codes::storage_unavailable,
          "the document cannot be kept: " + std::generic_category().message(number)};
}

}  // namespace

result<void> line_cutter::feed(std::string_view bytes, const line_handler& handle) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto part = bytes.substr(0, end);
    const auto room = line_bytes_max_ + 1 - held_.size();
    if (end == std::string_view::npos || part.size() > room) {
      held_.append(part.substr(0, room));
      return held_.size() > line_bytes_max_ ? handle(held_) : result<void>();
    }
    auto handled = result<void>();
    if (held_.empty()) {
      handled = handle(part);
    } else {
      held_.append(part);
      handled = handle(held_);
      held_.clear();
    }
    if (!handled) return handled;
    bytes.remove_prefix(end + 1);
  }
  return {};
}

result<void> line_cutter::end(const line_handler& handle) {
  return held_.empty() ? result<void>() : handle(held_);
}

import_spool::~import_spool() {
  if (file_ >= 0) ::close(file_);
}

result<void> import_spool::open(const std::string& folder, std::uint64_t min_free_bytes) {
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  if (ec) return disk_error(ec.value());
  auto name = folder + "/import-XXXXXX";
  file_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (file_ < 0) return disk_error(errno);
  ::unlink(name.c_str());
  min_free_bytes_ = min_free_bytes;
  return {};
}

result<void> import_spool::append(std::string_view bytes) {
  const int failed = storage::append_keeping_free(file_, bytes, min_free_bytes_);
  return failed != 0 ? disk_error(failed) : result<void>();
}

result<void> import_spool::rewind() {
  if (::lseek(file_, 0, SEEK_SET) != 0) return disk_error(errno);
  return {};
}

result<std::string_view> import_spool::read_some() {
  piece_.resize(piece_bytes);
  for (;;) {
    const auto got = ::read(file_, piece_.data(), piece_.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return disk_error(errno);
    return std::string_view(piece_.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace soma::app
