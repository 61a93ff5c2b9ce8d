#include "security/identity/server_key.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "security/digest.hpp"

namespace soma::security {
namespace {

constexpr std::size_t key_bytes = 32;

struct descriptor {
  int fd;
  ~descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

error failed(const std::string& path) {
  return {codes::storage_unavailable, path + ": " + std::strerror(errno)};
}

result<secret_string> read_key(const descriptor& file, const std::string& path) {
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return failed(path);
  if (!S_ISREG(info.st_mode)) return error(codes::config_invalid, path + ": is not a file");
  if ((info.st_mode & 077) != 0)
    return error(codes::config_invalid, path + ": others may read it; chmod 600 it");
  std::string bytes(key_bytes + 1, '\0');
  const ssize_t n = ::read(file.fd, bytes.data(), bytes.size());
  if (n < 0) return failed(path);
  if (static_cast<std::size_t>(n) != key_bytes)
    return error(codes::config_invalid, path + ": is not a key of 32 bytes");
  bytes.resize(key_bytes);
  return secret_string(std::move(bytes));
}

result<void> sync_folder(const std::string& folder) {
  const descriptor dir{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (dir.fd < 0 || ::fsync(dir.fd) != 0) return failed(folder);
  return {};
}

// A hard link refuses to replace a key that a second process made meanwhile.
result<void> make_key(const std::string& folder, const std::string& path,
                      const std::string& bytes) {
  const std::string fresh = path + "." + hex(random_bytes(8));
  {
    const descriptor file{
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (file.fd < 0) return failed(fresh);
    const bool written =
        ::write(file.fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
        ::fsync(file.fd) == 0;
    if (!written || (::link(fresh.c_str(), path.c_str()) != 0 && errno != EEXIST)) {
      const auto why = failed(path);
      ::unlink(fresh.c_str());
      return why;
    }
  }
  ::unlink(fresh.c_str());
  return sync_folder(folder);
}

}  // namespace

std::string server_key_file(const std::string& data_dir) {
  return data_dir + "/secret/server.key";
}

bool has_server_key(const std::string& data_dir) {
  struct stat info {};
  return ::lstat(server_key_file(data_dir).c_str(), &info) == 0 || errno != ENOENT;
}

namespace {

result<void> make_folder(const std::string& data_dir) {
  const std::string folder = data_dir + "/secret";
  std::error_code ec;
  std::filesystem::create_directories(data_dir, ec);
  if (ec) return error(codes::storage_unavailable, data_dir + ": " + ec.message());
  if (::mkdir(folder.c_str(), 0700) == 0) return sync_folder(data_dir);
  if (errno != EEXIST) return failed(folder);
  return {};
}

// The key there, else the one made of `otherwise`, or of whoever was quicker.
result<secret_string> key_in(const std::string& data_dir, const std::string& otherwise) {
  if (const auto made = make_folder(data_dir); !made) return made.error();
  const std::string path = server_key_file(data_dir);
  for (int round = 0; round < 2; ++round) {
    const descriptor file{open_without_waiting(path.c_str(), O_RDONLY | O_NOFOLLOW)};
    if (file.fd >= 0) return read_key(file, path);
    if (errno != ENOENT) return failed(path);
    const auto made = make_key(data_dir + "/secret", path, otherwise);
    if (!made) return made.error();
  }
  return error(codes::storage_unavailable, path + ": vanished while it was made");
}

}  // namespace

result<void> take_server_key(const std::string& data_dir, const std::string& file) {
  const descriptor given{open_without_waiting(file.c_str(), O_RDONLY)};
  if (given.fd < 0) return failed(file);
  auto key = read_key(given, file);
  if (!key) return key.error();
  auto there = key_in(data_dir, std::string(key->reveal()));
  if (!there) return there.error();
  if (!constant_time_equal(key->reveal(), there->reveal()))
    return error(codes::config_invalid, server_key_file(data_dir) + " is another key");
  return {};
}

result<secret_string> load_server_key(const std::string& data_dir) {
  return key_in(data_dir, random_bytes(key_bytes));
}

}  // namespace soma::security
