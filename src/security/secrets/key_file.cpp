#include "security/secrets/key_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

#include "core/codes.hpp"
#include "security/digest.hpp"
#include "security/secrets/sealed_text.hpp"

namespace soma::security {
namespace {

constexpr std::size_t key_bytes = 32, file_bytes_max = 4096;

struct descriptor {
  int fd;
  ~descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

error failed(std::string_view code, const std::string& path) {
  return {code, path + ": " + std::generic_category().message(errno)};
}

// Without a value where there is no file.
result<std::optional<secret_string>> text_of(const std::string& path) {
  const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0 && errno == ENOENT) return std::optional<secret_string>();
  struct stat info {};
  if (file.fd < 0 || ::fstat(file.fd, &info) != 0) return failed(codes::config_invalid, path);
  if ((info.st_mode & 077) != 0)
    return error(codes::config_invalid, path + ": others may read it; chmod 600 it");
  std::string text(file_bytes_max + 1, '\0');
  const auto n = ::read(file.fd, text.data(), text.size());
  if (n < 0) return failed(codes::config_invalid, path);
  if (static_cast<std::size_t>(n) > file_bytes_max)
    return error(codes::config_invalid, path + ": is too long for a file of keys");
  text.resize(static_cast<std::size_t>(n));
  return std::optional(secret_string(std::move(text)));
}

bool write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
  }
  return ::fsync(fd) == 0;
}

result<void> replace_file(const std::string& path, const secret_string& text) {
  const auto fresh = path + ".new";
  ::unlink(fresh.c_str());
  {
    const descriptor file{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (file.fd < 0 || !write_whole(file.fd, text.reveal()))
      return failed(codes::storage_unavailable, fresh);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failed(codes::storage_unavailable, path);
  const auto folder = std::filesystem::absolute(path).parent_path();
  const descriptor directory{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory.fd < 0 || ::fsync(directory.fd) != 0)
    return failed(codes::storage_unavailable, folder.string());
  return {};
}

}  // namespace

result<std::vector<secret_string>> parse_encryption_keys(std::string_view text) {
  std::vector<secret_string> keys;
  while (!text.empty()) {
    const auto end = text.find_first_of(",\r\n");
    if (const auto one = text.substr(0, end); !one.empty()) {
      auto key = parse_encryption_key(one);
      if (!key) return key.error();
      keys.push_back(std::move(*key));
    }
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  return keys;
}

result<std::vector<secret_string>> read_key_file(const std::string& path) {
  auto text = text_of(path);
  if (!text) return text.error();
  if (!*text) return error(codes::config_invalid, path + ": there is no such file");
  auto keys = parse_encryption_keys((*text)->reveal());
  if (keys && keys->empty()) return error(codes::config_invalid, path + ": holds no key");
  return keys;
}

result<std::size_t> add_key_to_file(const std::string& path) {
  auto before = text_of(path);
  if (!before) return before.error();
  std::string text = base64url(random_bytes(key_bytes)) + '\n';
  if (*before) text += (*before)->reveal();
  const secret_string whole(std::move(text));
  auto keys = parse_encryption_keys(whole.reveal());  // what is there must be good already
  if (!keys) return keys.error();
  if (whole.reveal().size() > file_bytes_max)
    return error(codes::config_invalid, path + ": is full; remove the lines of old keys");
  if (auto replaced = replace_file(path, whole); !replaced) return replaced.error();
  return keys->size();
}

}  // namespace soma::security
