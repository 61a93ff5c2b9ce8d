#include "core/file_kind.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "core/codes.hpp"

namespace soma {
namespace {

std::string_view kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return {};
    case S_IFIFO: return "a pipe";
    case S_IFDIR: return "a folder";
    case S_IFSOCK: return "a socket";
    default: return "a device";
  }
}

}  // namespace

std::string_view kind_if_no_file(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return {};
  return kind_of(found.st_mode);
}

std::string_view kind_if_no_file(int descriptor) {
  struct stat found {};
  if (::fstat(descriptor, &found) != 0) return {};
  return kind_of(found.st_mode);
}

int open_without_waiting(const char* path, int flags, unsigned mode) {
  return ::open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
}

result<std::string> text_of_file(const std::string& path, std::size_t bytes_max) {
  std::error_code ec;
  // A folder opens like a file and only fails when read.
  std::ifstream in(path, std::ios::binary);
  const int why = errno;
  if (std::filesystem::is_directory(path, ec))
    return error(codes::config_invalid, path + ": is a folder");
  if (!in)
    return error(codes::config_invalid,
                 path + ": cannot be read: " + std::generic_category().message(why));
  std::string text(bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad()) return error(codes::config_invalid, path + ": cannot be read");
  if (text.size() > bytes_max)
    return error(codes::config_invalid, path + ": is longer than any configuration");
  return text;
}

}  // namespace soma
