#include "files/content_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/codes.hpp"
#include "storage/disk_append.hpp"

namespace soma::files {
namespace {

namespace fs = std::filesystem;

error disk_error(int number) {
  const bool full = number == ENOSPC || number == EDQUOT;
  return {full ? codes::storage_full : codes::storage_unavailable,
          "the file cannot be kept: " + std::generic_category().message(number)};
}

result<void> sync_folder(const std::string& folder) {
  const int handle = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return disk_error(errno);
  const bool synced = ::fsync(handle) == 0;
  const int why = errno;
  ::close(handle);
  return synced ? result<void>() : disk_error(why);
}

}  // namespace

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

content_writer::content_writer(content_writer&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      path_(std::exchange(other.path_, {})),
      sha256_(std::move(other.sha256_)),
      stored_sha256_(std::move(other.stored_sha256_)),
      name_(std::move(other.name_)),
      size_bytes_(other.size_bytes_),
      min_free_bytes_(other.min_free_bytes_),
      hash_(std::move(other.hash_)),
      key_(std::move(other.key_)),
      sealer_(std::move(other.sealer_)) {
  if (other.stored_hash_) stored_hash_.emplace(std::move(*other.stored_hash_));
}

content_writer::~content_writer() {
  if (file_ >= 0) ::close(file_);
  if (!path_.empty()) ::unlink(path_.c_str());
}

result<void> content_writer::append(std::string_view bytes) {
  hash_.update(bytes);
  size_bytes_ += bytes.size();
  return sealer_ ? write(sealer_->add(bytes)) : write(bytes);
}

result<void> content_writer::write(std::string_view bytes) {
  if (stored_hash_) stored_hash_->update(bytes);
  const int failed = storage::append_keeping_free(file_, bytes, min_free_bytes_);
  return failed != 0 ? disk_error(failed) : result<void>();
}

result<void> content_writer::finish() {
  if (sealer_)
    if (auto last = write(sealer_->finish()); !last) return last;
  if (::fsync(file_) != 0) return disk_error(errno);
  ::close(std::exchange(file_, -1));
  sha256_ = security::hex(security::bytes_of(hash_.finish()));
  stored_sha256_ =
      stored_hash_ ? security::hex(security::bytes_of(stored_hash_->finish())) : sha256_;
  name_ = key_ ? sealed_file_name(*key_, sha256_) : sha256_;
  return {};
}

result<content_files> content_files::open(const std::string& folder, std::uint64_t min_free_bytes) {
  content_files made;
  made.folder_ = folder;
  made.min_free_bytes_ = min_free_bytes;
  std::error_code ec;
  fs::remove_all(folder + "/incoming", ec);
  if (ec) return disk_error(ec.value());
  fs::create_directories(folder + "/incoming", ec);
  if (ec) return disk_error(ec.value());
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char high : digits)
    for (const char low : digits) {
      const auto name = folder + '/' + high + low;
      if (::mkdir(name.c_str(), 0700) != 0 && errno != EEXIST) return disk_error(errno);
    }
  if (auto synced = sync_folder(folder); !synced) return synced.error();
  return made;
}

result<content_writer> content_files::begin(std::shared_ptr<const security::value_key> key) const {
  content_writer writer;
  if (key) {
    writer.sealer_.emplace(*key);
    writer.stored_hash_.emplace();
    writer.key_ = std::move(key);
  }
  auto name = folder_ + "/incoming/XXXXXX";
  writer.file_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (writer.file_ < 0) return disk_error(errno);
  writer.path_ = std::move(name);
  writer.min_free_bytes_ = min_free_bytes_;
  return writer;
}

result<void> content_files::publish(content_writer& written) const {
  const auto name = path_of(written.name_);
  if (::rename(written.path_.c_str(), name.c_str()) != 0) return disk_error(errno);
  written.path_.clear();
  return sync_folder(name.substr(0, name.rfind('/')));
}

result<void> content_files::remove(std::string_view name) const {
  if (::unlink(path_of(name).c_str()) != 0 && errno != ENOENT) return disk_error(errno);
  return {};
}

std::string content_path(const std::string& folder, std::string_view name) {
  return folder + '/' + std::string(name.substr(0, 2)) + '/' + std::string(name);
}

std::string content_files::path_of(std::string_view name) const {
  return content_path(folder_, name);
}

void content_files::each(const std::function<void(const std::string&)>& visit) const {
  std::error_code ec;
  for (const auto& group : fs::directory_iterator(folder_, ec)) {
    if (group.path().filename().string().size() != 2) continue;
    std::error_code inner;
    for (const auto& file : fs::directory_iterator(group.path(), inner))
      if (const auto name = file.path().filename().string(); is_sha256(name)) visit(name);
  }
}

}  // namespace soma::files
