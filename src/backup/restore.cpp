#include "backup/restore.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "backup/repository.hpp"
#include "core/codes.hpp"
#include "core/secret.hpp"
#include "security/digest.hpp"
#include "storage/store_repair.hpp"
#include "tools/sandbox/descriptors.hpp"

namespace soma::backup {
namespace {

namespace fs = std::filesystem;

error unavailable(std::string why) {
  return {codes::storage_unavailable, std::move(why)};
}

// The new data folder while it is not whole.
class unfinished_folder {
 public:
  static result<unfinished_folder> make(const std::string& beside) {
    auto name = beside + ".restoring-XXXXXX";
    if (!::mkdtemp(name.data())) return unavailable(name + ": " + std::strerror(errno));
    return unfinished_folder(std::move(name));
  }
  ~unfinished_folder() {
    std::error_code ec;
    if (!path_.empty()) fs::remove_all(path_, ec);
  }
  unfinished_folder(unfinished_folder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  const std::string& path() const { return path_; }
  void finish() { path_.clear(); }

 private:
  explicit unfinished_folder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

class folder_maker {
 public:
  folder_maker(const repository& from, std::string folder, pace& at)
      : from_(from), folder_(std::move(folder)), pace_(at) {}

  result<void> sync() const {
    return ::syncfs(root_.get()) == 0 ? result<void>()
                                      : unavailable(folder_ + ": " + std::strerror(errno));
  }

  result<void> begin() {
    root_ = tools::descriptor(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return root_ ? result<void>() : unavailable(folder_ + ": " + std::strerror(errno));
  }

  result<void> add(const entry& one) {
    // Every folder by its handle and no link followed: a manifest leads nowhere else.
    auto place = folder_for(one.path);
    if (!place) return place.error();
    const auto name = one.path.substr(one.path.rfind('/') + 1);
    const auto failed = [&] { return unavailable(one.path + ": " + std::strerror(errno)); };
    switch (one.what) {
      case entry::kind::folder:
        return ::mkdirat(place->get(), name.c_str(), 0700) == 0 || errno == EEXIST ? result<void>()
                                                                                   : failed();
      case entry::kind::link:
        return ::symlinkat(one.target.c_str(), place->get(), name.c_str()) == 0 ? result<void>()
                                                                                : failed();
      case entry::kind::file:
      case entry::kind::key: break;
    }
    const tools::descriptor file(::openat(
        place->get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return failed();
    if (auto written = bring_back(from_.contents_folder(), one, file.get(), pace_); !written)
      return written;
    if (one.mode != 0 && ::fchmod(file.get(), one.mode) != 0) return failed();
    return {};
  }

 private:
  result<tools::descriptor> folder_for(const std::string& path) {
    tools::descriptor at(::dup(root_.get()));
    for (std::size_t from = 0, slash; (slash = path.find('/', from)) != path.npos;
         from = slash + 1) {
      const auto name = path.substr(from, slash - from);
      (void)::mkdirat(at.get(), name.c_str(), 0700);
      at = tools::descriptor(
          ::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
      if (!at) return unavailable(path + ": " + std::strerror(errno));
    }
    return at;
  }

  const repository& from_;
  const std::string folder_;
  pace& pace_;
  tools::descriptor root_;
};

// Checks a key, and writes it to `folder` where one is named.
result<void> bring_key(const repository& from, const std::string& id, const entry& one,
                       const std::string& folder) {
  const auto path = from.keys_folder(id) + "/" + one.path;
  std::string text(one.size + 1, '\0');
  const tools::descriptor file(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  const auto n = file ? ::read(file.get(), text.data(), text.size()) : -1;
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n < 0 || security::hex(security::bytes_of(security::sha256(text))) != one.sha256)
    return error(codes::storage_corrupt, path + " is damaged or not there");
  if (folder.empty()) return {};
  const auto secret = folder + "/secret";
  if (::mkdir(secret.c_str(), 0700) != 0 && errno != EEXIST)
    return unavailable(secret + ": " + std::strerror(errno));
  const tools::descriptor into(::open((secret + "/" + one.path).c_str(),
                                      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  const bool written = into && ::write(into.get(), text.data(), text.size()) == n;
  wipe(text);
  return written ? result<void>() : unavailable(secret + ": " + std::strerror(errno));
}

// A folder takes the place of another where both lie on one file system; what is mounted there
// stays.
result<fs::path> place_of(const std::string& data_dir) {
  std::error_code ec;
  auto place = fs::weakly_canonical(fs::absolute(data_dir, ec), ec);
  if (ec) return unavailable(data_dir + ": " + ec.message());
  if (!place.has_filename()) place = place.parent_path();
  if (fs::exists(place, ec) && !(fs::is_directory(place, ec) && fs::is_empty(place, ec)))
    return unavailable(data_dir + " is there already: name a folder that is not");
  fs::create_directories(place.parent_path(), ec);
  struct stat here {
  }, above{};
  if (::stat(place.c_str(), &here) == 0 && ::stat(place.parent_path().c_str(), &above) == 0 &&
      here.st_dev != above.st_dev)
    return unavailable(data_dir + " is where a file system is mounted: name a folder in it");
  return place;
}

}  // namespace

result<backup_info> check_backup(const restore_options& wanted) {
  auto from = repository::open(wanted.folder, repository::use::reads);
  if (!from) return from.error();
  auto id = from->id_of(wanted.id);
  if (!id) return id.error();
  pace at(0, wanted.goes_on);
  return read_manifest(from->manifest_path(*id), [&](const entry& one) -> result<void> {
    if (one.what == entry::kind::key) return bring_key(*from, *id, one, {});
    if (one.what != entry::kind::file) return {};
    return check_content(from->contents_folder(), one, at);
  });
}

result<backup_info> restore_backup(const restore_options& wanted, const std::string& data_dir) {
  auto place = place_of(data_dir);
  if (!place) return place.error();
  auto from = repository::open(wanted.folder, repository::use::reads);
  if (!from) return from.error();
  auto id = from->id_of(wanted.id);
  if (!id) return id.error();
  auto made = unfinished_folder::make(place->string());
  if (!made) return made.error();
  pace at(0, wanted.goes_on);
  folder_maker maker(*from, made->path(), at);
  if (auto begun = maker.begin(); !begun) return begun.error();
  auto info = read_manifest(from->manifest_path(*id), [&](const entry& one) {
    return one.what == entry::kind::key ? bring_key(*from, *id, one, made->path()) : maker.add(one);
  });
  if (!info) return info.error();
  if (auto good = storage::verify_store(made->path()); !good) return good.error();
  // Tells also of what could not be written since.
  if (auto synced = maker.sync(); !synced) return synced.error();
  // In the place of an empty folder, too.
  if (::rename(made->path().c_str(), place->c_str()) != 0)
    return unavailable("cannot name " + place->string() + ": " + std::strerror(errno));
  made->finish();
  if (!sync_folder(place->parent_path().string()))
    return unavailable("cannot sync the folder of " + place->string());
  return info;
}

result<known_backups> list_backups(const std::string& folder) {
  std::error_code ec;
  known_backups found;
  if (!fs::exists(folder + "/FORMAT", ec)) return found;
  for (const auto& id : backup_ids(folder)) {
    const auto path = manifest_path(folder, id);
    auto info = read_manifest_ends(path);
    if (info)
      found.all.push_back(std::move(*info));
    else if (fs::exists(path, ec))  // else it was forgotten meanwhile
      found.damaged.push_back(id + ": " + info.error().detail);
  }
  return found;
}

}  // namespace soma::backup
