#include "backup/repository.hpp"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unordered_set>

#include "backup/copying.hpp"
#include "core/codes.hpp"

namespace soma::backup {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view format_line = "soma-backup 1";
constexpr std::string_view manifest_end = ".ndjson";
// Of the disk with the backups: the content files' own reserve.
constexpr std::uint64_t min_free_bytes = 64ull << 20;

error unavailable(const std::string& what) {
  return {codes::storage_unavailable, what};
}

// Empty where there is no such file.
std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// Whether there is nothing in it but what a making that was interrupted leaves.
bool is_unmade(const std::string& folder) {
  std::error_code ec;
  for (const auto& one : fs::directory_iterator(folder, ec)) {
    const auto name = one.path().filename().string();
    if (name != "backups" && name != "keys" && name != "lock" && name != "FORMAT.new") return false;
    if (one.is_directory(ec) && !fs::is_empty(one.path(), ec)) return false;
  }
  return !ec;
}

result<void> make(const std::string& folder) {
  std::error_code ec;
  fs::create_directories(folder, ec);
  if (ec) return unavailable("cannot make " + folder + ": " + ec.message());
  if (!is_unmade(folder)) return unavailable(folder + " is there and is no folder of backups");
  fs::permissions(folder, fs::perms::owner_all, ec);
  for (const char* inner : {"/backups", "/keys"})
    if (!ec) fs::create_directory(folder + inner, ec);
  if (ec) return unavailable("cannot write to " + folder + ": " + ec.message());
  // What says that it is one comes last, and whole.
  const auto draft = folder + "/FORMAT.new";
  const auto text = std::string(format_line) + "\n";
  const tools::descriptor file(
      ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const auto parent = fs::path(folder).has_parent_path() ? fs::path(folder).parent_path().string()
                                                         : std::string(".");
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(file.get()) != 0 || ::rename(draft.c_str(), (folder + "/FORMAT").c_str()) != 0 ||
      !sync_folder(folder) || !sync_folder(parent))
    return unavailable("cannot write to " + folder + ": " + std::strerror(errno));
  return {};
}

}  // namespace

std::vector<std::string> backup_ids(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code ec;
  for (const auto& file : fs::directory_iterator(folder + "/backups", ec)) {
    const auto name = file.path().filename().string();
    if (name.size() <= manifest_end.size() || !name.ends_with(manifest_end)) continue;
    auto id = name.substr(0, name.size() - manifest_end.size());
    if (is_backup_id(id)) found.push_back(std::move(id));
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string manifest_path(const std::string& folder, std::string_view id) {
  return folder + "/backups/" + std::string(id) + std::string(manifest_end);
}

result<repository> repository::open(const std::string& folder, use how) {
  auto found = first_line(folder + "/FORMAT");
  if (found.empty() && how == use::writes) {
    if (auto made = make(folder); !made) return made.error();
    found = format_line;
  }
  if (found.empty()) return unavailable(folder + " is no folder of backups");
  if (found != format_line)
    return error(codes::storage_format,
                 folder + ": \"" + found.substr(0, 64) + "\" is not known here");
  const auto lock_file = folder + "/lock";
  tools::descriptor lock(how == use::writes
                             ? ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)
                             : ::open(lock_file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock && how == use::writes) return unavailable(lock_file + ": " + std::strerror(errno));
  if (lock && ::flock(lock.get(), (how == use::writes ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0)
    return error(codes::backup_under_way, "a backup in " + folder + " is being made or restored",
                 10);
  repository opened(folder, std::move(lock));
  if (how == use::reads) return opened;
  // Its opening empties what a crash left, which is nobody's while the lock is ours.
  auto contents = files::content_files::open(opened.contents_folder(), min_free_bytes);
  if (!contents) return contents.error();
  if (!sync_folder(folder)) return unavailable("cannot sync " + folder);
  opened.contents_ = std::move(*contents);
  return opened;
}

result<std::string> repository::id_of(std::string_view id) const {
  const auto all = backup_ids(folder_);
  if (id.empty() && !all.empty()) return all.back();
  if (std::find(all.begin(), all.end(), id) != all.end()) return std::string(id);
  return error(codes::backup_not_found,
               all.empty()
                   ? "there is no backup in " + folder_
                   : "there is no backup " + std::string(id.substr(0, 64)) + " in " + folder_);
}

std::string repository::keys_folder(std::string_view id) const {
  return folder_ + "/keys/" + std::string(id);
}

bool repository::has(std::string_view sha256, std::uint64_t size) const {
  struct stat found {};
  return ::stat(files::content_path(contents_folder(), sha256).c_str(), &found) == 0 &&
         S_ISREG(found.st_mode) && static_cast<std::uint64_t>(found.st_size) == size;
}

result<std::string> repository::draft() const {
  auto path = folder_ + "/backups/draft";
  std::error_code ec;
  fs::remove(path, ec);
  if (ec) return unavailable(path + ": " + ec.message());
  return path;
}

result<void> repository::publish(std::string_view id) const {
  std::error_code ec;
  fs::rename(folder_ + "/backups/draft", manifest_path(id), ec);
  if (ec || !sync_folder(folder_ + "/backups"))
    return unavailable("cannot name the manifest of " + folder_ + ": " + ec.message());
  return {};
}

result<std::size_t> repository::forget_old(std::size_t keep) const {
  auto all = backup_ids(folder_);
  if (keep == 0 || all.size() <= keep) return std::size_t{0};
  std::unordered_set<std::string> wanted;
  for (auto at = all.end() - static_cast<std::ptrdiff_t>(keep); at != all.end(); ++at) {
    // One that cannot be read wants it does not say what.
    auto seen = read_manifest(manifest_path(*at), [&](const entry& one) -> result<void> {
      if (one.what == entry::kind::file) wanted.insert(one.sha256);
      return {};
    });
    if (!seen) return seen.error();
  }
  all.resize(all.size() - keep);
  std::error_code ec;
  for (const auto& id : all) {
    fs::remove(manifest_path(id), ec);
    if (ec) return unavailable("cannot remove " + manifest_path(id) + ": " + ec.message());
    fs::remove_all(keys_folder(id), ec);
  }
  if (!sync_folder(folder_ + "/backups")) return unavailable("cannot sync " + folder_);
  std::vector<std::string> unwanted;
  contents_->each([&](const std::string& sha256) {
    if (!wanted.count(sha256)) unwanted.push_back(sha256);
  });
  for (const auto& sha256 : unwanted)
    if (auto gone = contents_->remove(sha256); !gone) return gone.error();
  return all.size();
}

}  // namespace soma::backup
