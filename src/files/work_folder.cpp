#include "files/work_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "core/codes.hpp"
#include "core/uuid.hpp"
#include "files/beneath.hpp"
#include "files/folder_walk.hpp"

namespace soma::files {
namespace {

constexpr std::size_t copy_bytes = 256 * 1024;
constexpr int rounds_max = 100'000;  // of emptying a folder that somebody fills meanwhile

// One name of the file system for any id; no id can mean another's folder.
std::string folder_name(std::string_view id) {
  constexpr char digits[] = "0123456789abcdef";
  std::string name;
  for (const char c : id) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_';
    if (plain) {
      name += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    ((name += '%') += digits[byte >> 4]) += digits[byte & 15];
  }
  return name;
}

std::optional<std::string> id_of(std::string_view name) {
  std::string id;
  for (; !name.empty(); name.remove_prefix(1)) {
    if (name[0] != '%') {
      id += name[0];
      continue;
    }
    unsigned byte = 0;
    if (name.size() < 3) return std::nullopt;
    const auto [end, ec] = std::from_chars(name.data() + 1, name.data() + 3, byte, 16);
    if (ec != std::errc{} || end != name.data() + 3) return std::nullopt;
    id += static_cast<char>(byte);
    name.remove_prefix(2);
  }
  return id;
}

error no_file(std::string_view what) {
  return {codes::workdir_path_invalid, std::string(what) + " names the work folder itself"};
}

result<void> make_folders(const std::string& path) {
  std::error_code ec;
  std::filesystem::create_directories(path, ec);
  return ec ? work_error(ec.value()) : result<void>();
}

result<void> write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return work_error(errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// A regular file, whatever stands there when it is opened.
result<work_file> open_regular(int folder, const char* path) {
  work_file file;
  file.handle = work_handle(open_beneath(folder, path, O_RDONLY));
  struct stat found {};
  if (!file.handle.valid() || ::fstat(file.handle.get(), &found) != 0) return work_error(errno);
  if (!S_ISREG(found.st_mode)) return work_error(S_ISDIR(found.st_mode) ? EISDIR : ENXIO);
  file.size_bytes = static_cast<std::uint64_t>(found.st_size);
  file.modified_ms = modified_ms(found);
  return file;
}

// The empty path of openat2 is an error; a dot is the folder.
std::string or_dot(std::string_view path) {
  return path.empty() ? "." : std::string(path);
}

}  // namespace

work_handle::~work_handle() {
  if (fd_ >= 0) ::close(fd_);
}

work_spool::~work_spool() {
  if (path_) ::unlink(path_->c_str());
}

work_folders::work_folders(std::string root, work_limits limits)
    : root_(std::move(root)), incoming_(root_ + "/.incoming"), limits_(limits) {}

result<std::unique_ptr<work_folders>> work_folders::open(const std::string& root,
                                                         work_limits limits) {
  std::unique_ptr<work_folders> made(new work_folders(root, limits));
  if (auto there = make_folders(made->incoming_); !there) return there.error();
  const work_handle handle(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const work_handle probe(open_beneath(handle.get(), ".incoming", O_RDONLY | O_DIRECTORY));
  if (!probe.valid())
    return error(codes::storage_unavailable, "work folders need openat2 of Linux 5.6");
  // What an earlier process was about to write or to remove.
  for (const auto& name : names_in(probe.get()))
    if (auto gone = made->discard(probe.get(), name); !gone) return gone.error();
  return made;
}

disk_mutex& work_folders::lock_of(const session_key& whose) {
  return locks_[std::hash<session_key>{}(whose) % locks_.size()];
}

std::string tenant_work_folder(const std::string& root, const tenant_id& tenant) {
  return root + '/' + folder_name(tenant.value);
}

std::string work_folders::path_of(const session_key& whose) const {
  return tenant_work_folder(root_, whose.tenant) + '/' +
         (whose.session.empty() ? "shared" : folder_name(whose.session.value));
}

result<work_handle> work_folders::root_of(const session_key& whose, bool make) {
  const auto path = path_of(whose);
  if (make)
    if (auto made = make_folders(path); !made) return made.error();
  work_handle root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root.valid()) return work_error(errno);
  return root;
}

result<std::string> work_folders::place(const session_key& whose) {
  auto root = root_of(whose, true);
  if (!root) return root.error();
  return path_of(whose);
}

std::vector<session_key> work_folders::sessions() const {
  namespace fs = std::filesystem;
  std::vector<session_key> found;
  std::error_code ec, inner;
  for (const auto& tenant : fs::directory_iterator(root_, ec)) {
    const auto tenant_name = id_of(tenant.path().filename().string());
    if (!tenant_name || tenant.path() == incoming_) continue;
    for (const auto& session : fs::directory_iterator(tenant.path(), inner)) {
      const auto name = id_of(session.path().filename().string());
      if (name && is_uuid(*name)) found.push_back({tenant_id(*tenant_name), session_id(*name)});
    }
  }
  return found;
}

// ---- reading ----

result<work_handle> work_folders::open_folder(const session_key& whose, std::string_view path) {
  if (auto names = names_of(path); !names) return names.error();
  auto root = root_of(whose, path.empty());
  if (!root) return root.error();
  work_handle folder(open_beneath(root->get(), or_dot(path).c_str(), O_RDONLY | O_DIRECTORY));
  if (!folder.valid()) return work_error(errno);
  return folder;
}

result<work_list> work_folders::list(const session_key& whose, std::string_view path,
                                     std::size_t entries_max) {
  auto folder = open_folder(whose, path);
  if (!folder) return folder.error();
  work_list found;
  auto names = names_in(folder->get(), limits_.entries_max);
  std::sort(names.begin(), names.end());
  found.complete = names.size() <= entries_max;
  if (!found.complete) names.resize(entries_max);
  for (auto& name : names)
    if (auto entry = entry_of(folder->get(), name)) found.entries.push_back(std::move(*entry));
  return found;
}

result<work_file> work_folders::open_file(const session_key& whose, std::string_view path) {
  auto names = names_of(path);
  if (!names) return names.error();
  if (names->empty()) return no_file("it");
  auto root = root_of(whose, false);
  if (!root) return root.error();
  return open_regular(root->get(), std::string(path).c_str());
}

result<work_piece> work_folders::read(const session_key& whose, std::string_view path,
                                      std::uint64_t offset, std::size_t bytes_max) {
  auto file = open_file(whose, path);
  if (!file) return file.error();
  work_piece piece;
  piece.size_bytes = file->size_bytes;
  if (offset >= piece.size_bytes) return piece;
  piece.bytes.resize(
      static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, piece.size_bytes - offset)));
  std::size_t have = 0;
  while (have < piece.bytes.size()) {
    const auto got = ::pread(file->handle.get(), piece.bytes.data() + have,
                             piece.bytes.size() - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return work_error(errno);
    if (got == 0) break;  // it became shorter
    have += static_cast<std::size_t>(got);
  }
  piece.bytes.resize(have);
  return piece;
}

result<work_folders::usage> work_folders::used(const session_key& whose) {
  auto root = root_of(whose, true);
  if (!root) return root.error();
  usage sum;
  if (!add_usage(root->get(), 0, limits_.entries_max, sum)) {
    sum.entries = limits_.entries_max + 1;
    sum.bytes =
        std::max(sum.bytes, limits_.bytes_max);  // as full as it may be, for all that is known
  }
  const auto path = path_of(whose);
  const std::lock_guard lock(totals_mutex_);
  if (const auto at = totals_.find(whose.tenant); at != totals_.end())
    at->second[path.substr(path.rfind('/') + 1)] = sum.bytes;
  return sum;
}

std::map<std::string, std::uint64_t> work_folders::sizes_of(
    const std::string& tenant_folder) const {
  std::map<std::string, std::uint64_t> sizes;
  std::error_code ec;
  for (const auto& one : std::filesystem::directory_iterator(tenant_folder, ec)) {
    const work_handle folder(
        ::open(one.path().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    usage sum;
    if (folder.valid() && !add_usage(folder.get(), 0, limits_.entries_max, sum))
      sum.bytes = std::max(sum.bytes, limits_.bytes_max);
    sizes.emplace(one.path().filename().string(), sum.bytes);
  }
  return sizes;
}

result<void> work_folders::tenant_has_room(const session_key& whose, std::uint64_t bytes) {
  const auto path = path_of(whose);
  bool known = false;
  {
    const std::lock_guard lock(totals_mutex_);
    known = totals_.contains(whose.tenant);
  }
  // Without the lock: it is everybody's, and this walks all folders of the tenant.
  auto sizes =
      known ? std::map<std::string, std::uint64_t>() : sizes_of(path.substr(0, path.rfind('/')));
  const std::lock_guard lock(totals_mutex_);
  const auto at = totals_.try_emplace(whose.tenant, std::move(sizes)).first;
  std::uint64_t total = bytes;
  for (const auto& [name, size] : at->second) total += size;
  if (total > limits_.tenant_bytes_max)
    return error(codes::workdir_full,
                 "the tenant's work folders would hold more than workdir.tenant_bytes_max");
  return {};
}

// ---- writing ----

result<void> work_folders::fits(const session_key& whose, std::uint64_t bytes,
                                std::uint64_t entries) {
  auto sum = used(whose);
  if (!sum) return sum.error();
  if (sum->bytes + bytes > limits_.bytes_max)
    return error(codes::workdir_full, "the work folder would be larger than workdir.bytes_max");
  if (sum->entries + entries > limits_.entries_max)
    return error(codes::workdir_full, "the work folder would hold more than workdir.entries_max");
  if (bytes == 0) return {};
  if (auto room = tenant_has_room(whose, bytes); !room) return room;
  // What comes now; the next look at this folder counts it exactly.
  const auto path = path_of(whose);
  const std::lock_guard lock(totals_mutex_);
  totals_[whose.tenant][path.substr(path.rfind('/') + 1)] += bytes;
  return {};
}

// The folder that the path's last name stands in.
result<work_handle> work_folders::parent_of(const session_key& whose, std::string_view path,
                                            bool make) {
  auto names = names_of(path);
  if (!names) return names.error();
  if (names->empty()) return no_file("it");
  auto at = root_of(whose, make);
  if (!at) return at.error();
  names->pop_back();
  for (const auto& name : *names) {
    if (make && ::mkdirat(at->get(), name.c_str(), 0700) != 0 && errno != EEXIST)
      return work_error(errno);
    work_handle next(open_beneath(at->get(), name.c_str(), O_RDONLY | O_DIRECTORY));
    if (!next.valid()) return work_error(errno);
    *at = std::move(next);
  }
  return at;
}

result<work_spool> work_folders::begin() {
  work_spool spool;
  auto name = incoming_ + "/XXXXXX";
  spool.file_ = work_handle(::mkostemp(name.data(), O_CLOEXEC));
  if (!spool.file_.valid()) return work_error(errno);
  spool.path_ = std::make_unique<std::string>(std::move(name));
  return spool;
}

result<void> work_folders::add(work_spool& spool, std::string_view bytes) {
  if (spool.size_bytes_ + bytes.size() > limits_.file_bytes_max)
    return error(codes::workdir_full, "the file would be larger than workdir.file_bytes_max");
  // The store must never be the one to find the disk full: its failures are fatal.
  struct statvfs disk {};
  if (::fstatvfs(spool.file_.get(), &disk) == 0 &&
      static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize <
          limits_.min_free_bytes + bytes.size())
    return work_error(ENOSPC);
  spool.size_bytes_ += bytes.size();
  return write_all(spool.file_.get(), bytes);
}

result<void> work_folders::settle(const session_key& whose, std::string_view path,
                                  work_spool& spool) {
  auto names = new_names_of(path);
  if (!names) return names.error();
  auto before = parent_of(whose, path, false);
  const auto replaced = before ? entry_of(before->get(), names->back()) : std::nullopt;
  const auto old_bytes = replaced ? replaced->size_bytes : 0;
  const auto growth = spool.size_bytes_ > old_bytes ? spool.size_bytes_ - old_bytes : 0;
  if (auto room = fits(whose, growth, replaced ? 0 : names->size()); !room) return room;
  auto parent = parent_of(whose, path, true);
  if (!parent) return parent.error();
  if (::fsync(spool.file_.get()) != 0) return work_error(errno);
  // Renaming replaces a link or a pipe of that name by the file, and never follows it.
  if (::renameat(AT_FDCWD, spool.path_->c_str(), parent->get(), names->back().c_str()) != 0)
    return work_error(errno);
  spool.path_.reset();
  return ::fsync(parent->get()) == 0 ? result<void>() : work_error(errno);
}

result<void> work_folders::put(const session_key& whose, std::string_view path, work_spool spool) {
  const std::lock_guard lock(lock_of(whose));
  return settle(whose, path, spool);
}

result<void> work_folders::write(const session_key& whose, std::string_view path,
                                 std::string_view bytes) {
  auto spool = begin();
  if (!spool) return spool.error();
  if (auto added = add(*spool, bytes); !added) return added;
  return put(whose, path, std::move(*spool));
}

result<void> work_folders::append(const session_key& whose, std::string_view path,
                                  std::string_view bytes) {
  auto spool = begin();
  if (!spool) return spool.error();
  const std::lock_guard lock(lock_of(whose));
  for (;;) {
    auto piece = read(whose, path, spool->size_bytes_, copy_bytes);
    if (!piece && piece.error().code == codes::workdir_not_found) break;
    if (!piece) return piece.error();
    if (piece->bytes.empty()) break;
    if (auto added = add(*spool, piece->bytes); !added) return added;
  }
  if (auto added = add(*spool, bytes); !added) return added;
  return settle(whose, path, *spool);
}

result<void> work_folders::make_folder(const session_key& whose, std::string_view path) {
  auto names = new_names_of(path);
  if (!names) return names.error();
  const std::lock_guard lock(lock_of(whose));
  if (auto room = fits(whose, 0, names->size()); !room) return room;
  // As the parent of a file that is not made.
  auto made = names->size() < depth_max ? parent_of(whose, std::string(path) + "/x", true)
                                        : result<work_handle>(work_error(EINVAL));
  return made ? result<void>() : result<void>(made.error());
}

result<void> work_folders::move(const session_key& whose, std::string_view from,
                                std::string_view to) {
  auto source_names = names_of(from), target_names = new_names_of(to);
  if (!source_names) return source_names.error();
  if (!target_names) return target_names.error();
  const std::lock_guard lock(lock_of(whose));
  auto source = parent_of(whose, from, false);
  if (!source) return source.error();
  if (!entry_of(source->get(), source_names->back())) return work_error(ENOENT);
  if (auto room = fits(whose, 0, target_names->size() - 1); !room) return room;
  auto target = parent_of(whose, to, true);
  if (!target) return target.error();
  if (::renameat2(source->get(), source_names->back().c_str(), target->get(),
                  target_names->back().c_str(), RENAME_NOREPLACE) != 0)
    return work_error(errno);
  ::fsync(source->get());
  return ::fsync(target->get()) == 0 ? result<void>() : work_error(errno);
}

// Out of the folder at once, then away. However deep it is: a folder that is not empty is moved up
// beside the others that are to go, so that none is reached through more than two.
result<void> work_folders::discard(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return work_error(errno);
  const work_handle grave(::open(incoming_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!grave.valid()) return work_error(errno);
  std::vector<std::string> waiting{"gone-" + new_uuid()};
  if (::renameat(parent, name.c_str(), grave.get(), waiting[0].c_str()) != 0)
    return work_error(errno);
  for (int round = 0; !waiting.empty(); ++round) {
    if (round == rounds_max) return error(codes::storage_unavailable, "the folder fills itself");
    const auto dir = waiting.back();
    const auto folder = open_inner(grave.get(), dir);
    if (!folder.valid()) return work_error(errno);
    for (const auto& inner : names_in(folder.get())) {
      if (::unlinkat(folder.get(), inner.c_str(), 0) == 0 ||
          ::unlinkat(folder.get(), inner.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT)
        continue;
      if (errno != ENOTEMPTY && errno != EEXIST) return work_error(errno);
      // Only what may be written can be moved.
      (void)open_inner(folder.get(), inner);
      waiting.insert(waiting.begin(), "gone-" + new_uuid());
      if (::renameat(folder.get(), inner.c_str(), grave.get(), waiting.front().c_str()) != 0)
        return work_error(errno);
    }
    if (::unlinkat(grave.get(), dir.c_str(), AT_REMOVEDIR) == 0) {
      waiting.pop_back();
    } else if (errno != ENOTEMPTY && errno != EEXIST) {
      return work_error(errno);
    }
  }
  return {};
}

result<void> work_folders::remove(const session_key& whose, std::string_view path) {
  auto names = names_of(path);
  if (!names) return names.error();
  const std::lock_guard lock(lock_of(whose));
  auto parent = parent_of(whose, path, false);
  if (!parent) return parent.error();
  if (!entry_of(parent->get(), names->back())) return work_error(ENOENT);
  auto gone = discard(parent->get(), names->back());
  if (gone) (void)used(whose);  // the tenant's total goes down with it
  return gone;
}

result<void> work_folders::remove_all(const session_key& whose) {
  const std::lock_guard lock(lock_of(whose));
  const auto path = path_of(whose);
  const auto slash = path.rfind('/');
  {
    const std::lock_guard totals(totals_mutex_);
    if (const auto at = totals_.find(whose.tenant); at != totals_.end())
      at->second.erase(path.substr(slash + 1));
  }
  const work_handle parent(
      ::open(path.substr(0, slash).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.valid()) return errno == ENOENT ? result<void>() : work_error(errno);
  return discard(parent.get(), path.substr(slash + 1));
}

}  // namespace soma::files
