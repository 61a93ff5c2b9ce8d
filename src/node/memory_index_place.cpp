#include "node/memory_index_place.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/codes.hpp"
#include "memory/index_file.hpp"
#include "security/digest.hpp"

namespace soma {
namespace {

namespace fs = std::filesystem;

constexpr const char* index_name = "/memory.sqlite";
constexpr const char* token_name = "/memory-index";
constexpr std::size_t token_bytes = 16;

std::string data_dir_of(const config& settings) {
  return settings.text("storage.data_dir");
}

// Empty: there is none.
std::string token_in(const std::string& data_dir) {
  std::ifstream in(data_dir + token_name, std::ios::binary);
  std::string token(2 * token_bytes, '\0');
  in.read(token.data(), static_cast<std::streamsize>(token.size()));
  return in.gcount() == static_cast<std::streamsize>(token.size()) ? token : std::string();
}

result<std::string> make_token(const std::string& data_dir) {
  const auto path = data_dir + token_name;
  const auto token = security::hex(security::random_bytes(token_bytes));
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written =
      file >= 0 && ::write(file, token.data(), token.size()) == static_cast<ssize_t>(token.size());
  const int why = errno;
  if (file >= 0) ::close(file);
  if (!written)
    return error(codes::storage_unavailable, "cannot write " + path + ": " + std::strerror(why));
  return token;
}

// With the data folder's place, so that a copy of it beside it has another.
std::string folder_in_memory(const std::string& data_dir, const std::string& token) {
  std::error_code ec;
  const auto whole = fs::weakly_canonical(data_dir, ec).string() + '\n' + token;
  return "/dev/shm/soma-" + std::to_string(::geteuid()) + '-' +
         security::hex(security::bytes_of(security::sha256(whole))).substr(0, 32);
}

// Whoever may write beside it: it is ours, or there is none.
result<void> make_own_folder(const std::string& path) {
  const auto wrong = [&](const std::string& why) {
    return error(codes::config_invalid, "memory.index_dir: " + path + ": " + why);
  };
  struct stat found {};
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return wrong(std::strerror(errno));
  if (::lstat(path.c_str(), &found) != 0) return wrong(std::strerror(errno));
  if (!S_ISDIR(found.st_mode)) return wrong("it is no folder");
  if (found.st_uid != ::geteuid() || (found.st_mode & 0077) != 0)
    return wrong("it must be a folder of the server's user, which nobody else may read");
  return {};
}

// Of the index in memory, if there is one that the data folder knows of.
void remove_from_memory(const std::string& data_dir) {
  const auto token = token_in(data_dir);
  if (token.empty()) return;
  const auto folder = folder_in_memory(data_dir, token);
  std::error_code ec;
  memory::index_file::remove(folder + index_name);
  fs::remove(folder, ec);
  fs::remove(data_dir + token_name, ec);
}

}  // namespace

result<std::string> place_memory_index(const config& settings) {
  const auto data_dir = data_dir_of(settings);
  auto folder = settings.text("memory.index_dir");
  if (folder.empty()) {
    if (!settings.flag("storage.encrypt_events")) {
      remove_from_memory(data_dir);  // one of before would have old words in the clear for long
      return data_dir + index_name;
    }
    auto token = token_in(data_dir);
    if (token.empty()) {
      auto made = make_token(data_dir);
      if (!made) return made.error();
      token = std::move(*made);
    }
    folder = folder_in_memory(data_dir, token);
  } else {
    remove_from_memory(data_dir);
  }
  if (auto made = make_own_folder(folder); !made) return made.error();
  std::error_code ec;
  if (!fs::equivalent(folder, data_dir, ec)) memory::index_file::remove(data_dir + index_name);
  return folder + index_name;
}

void remove_memory_index(const config& settings) {
  const auto data_dir = data_dir_of(settings);
  memory::index_file::remove(data_dir + index_name);
  if (const auto& folder = settings.text("memory.index_dir"); !folder.empty())
    memory::index_file::remove(folder + index_name);
  remove_from_memory(data_dir);
}

}  // namespace soma
