#include "storage/store_files.hpp"

#include <fcntl.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "storage/patient_fs.hpp"

namespace soma::storage {
namespace {

namespace fs = std::filesystem;

std::optional<error> damage_in(const std::string& path, record_check how,
                               std::vector<torn_log>* torn = nullptr) {
  const auto state = check_record_file(path, how);
  if (!state) return state.error();
  if (state->zeros_from && torn) torn->push_back({path, *state->zeros_from, state->size});
  if (!state->damage) return std::nullopt;
  return error(codes::storage_corrupt, path + " is damaged at byte " +
                                           std::to_string(state->damage->offset) + ": " +
                                           state->damage->what);
}

// RocksDB makes a new store where CURRENT is missing, and deletes what it does not know.
std::optional<error> lost_its_current(const std::string& folder) {
  std::error_code ec;
  if (fs::exists(folder + "/CURRENT", ec)) return std::nullopt;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const auto kind = entry.path().extension();
    if (kind == ".sst" || kind == ".log")
      return error(codes::storage_corrupt,
                   folder + "/CURRENT is missing beside " + entry.path().filename().string());
  }
  return std::nullopt;
}

}  // namespace

std::string store_folder(const std::string& data_dir) {
  return data_dir + "/store";
}

bool sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool good = ::fsync(fd) == 0 || errno == EINVAL;
  ::close(fd);
  return good;
}

result<void> cut_file(const std::string& path, std::uint64_t bytes) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  const bool done = fd >= 0 && ::ftruncate(fd, static_cast<off_t>(bytes)) == 0 && ::fsync(fd) == 0;
  const auto why = std::generic_category().message(errno);
  if (fd >= 0) ::close(fd);
  if (done) return {};
  return error(codes::storage_unavailable, "cannot cut " + path + ": " + why);
}

namespace {

// Whoever opened one would wait for its other end, or read without one.
std::optional<error> find_no_file(const std::string& folder) {
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const auto path = entry.path().string();
    const auto kind = kind_if_no_file(path);
    if (!kind.empty() && !fs::is_directory(path, ec))
      return error(codes::storage_corrupt,
                   path + " is " + std::string(kind) +
                       ", and no file: take it away, and restore a backup if a file of the "
                       "store was there");
  }
  return std::nullopt;
}

}  // namespace

result<store_lock> store_lock::take(rocksdb::Env* env, const std::string& data_dir) {
  if (auto found = find_no_file(store_folder(data_dir))) return *found;
  const auto path = store_folder(data_dir) + "/LOCK";
  rocksdb::FileLock* lock = nullptr;
  const auto s = env->LockFile(path, &lock);
  if (s.ok()) return store_lock(env, lock);
  const auto text = s.ToString();
  const auto says = [&](const char* words) { return text.find(words) != std::string::npos; };
  if (says("While lock file: ") || says("lock hold by current process"))
    return error(codes::storage_locked,
                 "another process has the data folder " + data_dir + " open");
  return error(s.IsNoSpace() ? codes::storage_full : codes::storage_unavailable,
               "cannot lock " + path + ": " + text);
}

store_lock::store_lock(store_lock&& other) noexcept
    : env_(other.env_), lock_(std::exchange(other.lock_, nullptr)) {}

store_lock::~store_lock() {
  if (lock_) env_->UnlockFile(lock_);
}

std::vector<wal_file> wal_files(const std::string& folder) {
  std::vector<wal_file> found;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    wal_file file{0, entry.path().filename().string(), entry.path().string()};
    const auto* end = file.name.data() + file.name.size();
    const auto [at, bad] = std::from_chars(file.name.data(), end, file.number);
    if (bad == std::errc{} && std::string_view(at, end) == ".log") found.push_back(file);
  }
  std::sort(found.begin(), found.end(),
            [](const wal_file& a, const wal_file& b) { return a.number < b.number; });
  return found;
}

std::string manifest_file(const std::string& folder) {
  std::ifstream current(folder + "/CURRENT");
  if (!current) return {};
  std::string name;
  std::getline(current, name);
  return folder + "/" + name;
}

std::optional<error> find_manifest_damage(const std::string& folder, record_check how) {
  if (auto lost = lost_its_current(folder)) return lost;
  const auto manifest = manifest_file(folder);
  if (manifest.empty()) return std::nullopt;
  std::vector<torn_log> zeros;
  std::error_code ec;
  if (fs::is_regular_file(manifest, ec) && fs::file_size(manifest, ec) == 0)
    return error(codes::storage_corrupt,
                 manifest + " is damaged at byte 0: it is empty; restore a backup");
  if (!fs::is_regular_file(manifest, ec))
    return error(codes::storage_corrupt,
                 folder + "/CURRENT is damaged: the file that it names is missing");
  if (auto found = damage_in(manifest, how, &zeros)) return found;
  if (zeros.empty()) return std::nullopt;
  // Were one of its edits lost, RocksDB would delete tables that it names.
  return error(codes::storage_corrupt, manifest + " is damaged at byte " +
                                           std::to_string(zeros[0].zeros_from) +
                                           ": zeros to its end");
}

std::optional<error> find_damage(const std::string& folder, record_check how,
                                 std::vector<torn_log>* torn) {
  if (auto found = find_manifest_damage(folder, how)) return found;
  for (const auto& file : wal_files(folder)) {
    auto found = damage_in(file.path, how, torn);
    if (found && found->code == codes::storage_corrupt)
      found->detail += "; soma repair cuts it there";
    if (found) return found;
  }
  return std::nullopt;
}

namespace {

std::optional<damaged_table> damage_of(const std::string& folder, const live_table& one) {
  const auto path = folder + "/" + one.name;
  const auto damaged = [&](const std::string& what, bool opens) {
    return damaged_table{error(codes::storage_corrupt, path + what), one, opens};
  };
  std::error_code ec;
  const auto bytes = fs::file_size(path, ec);
  if (ec) return damaged(" is missing", false);
  if (bytes != one.bytes)
    return damaged(" is damaged: it has " + std::to_string(bytes) + " bytes instead of " +
                       std::to_string(one.bytes),
                   false);
  rocksdb::Options how;
  how.env = common_env();
  rocksdb::SstFileReader table{how};
  auto s = table.Open(path);
  if (!s.ok()) return damaged(" is damaged: " + s.ToString(), false);
  s = table.VerifyChecksum();
  if (s.ok()) {  // the file's footer has no checksum: see whether its blocks can be read by it
    const std::unique_ptr<rocksdb::Iterator> rows(table.NewIterator({}));
    for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
    }
    s = rows->status();
  }
  if (s.ok()) return std::nullopt;
  return damaged(" is damaged: " + s.ToString(), true);
}

}  // namespace

std::optional<error> find_damaged_table(const std::string& folder,
                                        const std::function<bool(std::uint64_t)>& goes_on) {
  const auto tables = live_tables(folder);
  if (!tables) return tables.error();
  for (const auto& one : *tables) {
    if (goes_on && !goes_on(one.bytes))
      return error(codes::storage_unavailable, "looking through the store was stopped");
    if (auto found = damage_of(folder, one)) return std::move(found->what);
  }
  return std::nullopt;
}

result<std::vector<damaged_table>> find_damaged_tables(const std::string& folder) {
  const auto tables = live_tables(folder);
  if (!tables) return tables.error();
  std::vector<damaged_table> found;
  for (const auto& one : *tables)
    if (auto damage = damage_of(folder, one)) found.push_back(std::move(*damage));
  return found;
}

}  // namespace soma::storage
