#include "backup/backup.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

#include "backup/repository.hpp"
#include "core/codes.hpp"
#include "core/secret.hpp"
#include "core/time.hpp"
#include "core/version.hpp"
#include "files/attachment_audit.hpp"
#include "files/beneath.hpp"
#include "files/folder_walk.hpp"
#include "storage/store_repair.hpp"
#include "tools/sandbox/descriptors.hpp"

namespace soma::backup {
namespace {

namespace fs = std::filesystem;

error unavailable(std::string why) {
  return {codes::storage_unavailable, std::move(why)};
}

constexpr const char* held_name = "/backup-under-way";

// Uploads that are not whole; of the audit what is under way, and what is taken last.
bool is_passed_over(const std::string& part, const std::string& name) {
  return part == "work" ? name == ".incoming" : name == "open" || name == "checkpoint.json";
}

// The names in a folder, in order. What cannot be read is no empty folder.
result<std::vector<std::string>> names_in(int folder) {
  std::vector<std::string> names;
  tools::descriptor own(files::open_beneath(folder, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(own ? ::fdopendir(own.get()) : nullptr,
                                                   ::closedir);
  if (!stream) return unavailable(std::strerror(errno));
  (void)own.release();
  for (;;) {
    errno = 0;
    const auto* found = ::readdir(stream.get());
    if (!found && errno != 0) return unavailable(std::strerror(errno));
    if (!found) break;
    std::string name(found->d_name);
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A file that a program closed to itself is still its maker's.
int open_file_inner(int folder, const char* name) {
  const int file = files::open_beneath(folder, name, O_RDONLY);
  if (file >= 0 || errno != EACCES) return file;
  const tools::descriptor closed(files::open_beneath(folder, name, O_PATH));
  struct stat found {};
  if (!closed || ::fstat(closed.get(), &found) != 0 || !S_ISREG(found.st_mode))
    return errno = EACCES, -1;
  ::chmod(("/proc/self/fd/" + std::to_string(closed.get())).c_str(), found.st_mode | S_IRUSR);
  return files::open_beneath(folder, name, O_RDONLY);
}

// The store as of one moment, with the attachments of that moment beside it, by hard links where
// there are such: whatever is deleted while they are copied stays until then.
class held_moment {
 public:
  explicit held_moment(const std::string& data_dir)
      : data_dir_(data_dir), folder_(data_dir + held_name) {}
  ~held_moment() { forget_unfinished(data_dir_); }
  held_moment(const held_moment&) = delete;

  result<void> begin() {
    forget_unfinished(data_dir_);
    std::error_code ec;
    fs::create_directories(folder_ + "/attachments", ec);
    if (ec) return unavailable("cannot make " + folder_ + ": " + ec.message());
    return {};
  }
  result<void> take(const storage::event_log& log) { return log.checkpoint(moment()); }
  // Those that are not held yet. Where links are none they are read where they are.
  result<void> hold_attachment(const std::string& name) {
    const auto from = files::content_path(data_dir_ + "/attachments", name);
    if (::link(from.c_str(), held(name).c_str()) == 0 || errno == EEXIST || errno == ENOENT ||
        errno == EXDEV || errno == EPERM || errno == EMLINK || errno == ENOTSUP)
      return {};
    return unavailable("cannot hold attachments in " + folder_ + ": " + std::strerror(errno));
  }
  // -1 with errno.
  int open_attachment(const std::string& name) const {
    constexpr int how = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    const int file = ::open(held(name).c_str(), how);
    if (file >= 0 || errno != ENOENT) return file;
    return ::open(files::content_path(data_dir_ + "/attachments", name).c_str(), how);
  }
  std::string moment() const { return folder_ + "/moment"; }

 private:
  std::string held(const std::string& name) const { return folder_ + "/attachments/" + name; }

  const std::string data_dir_, folder_;
};

class backup_maker {
 public:
  backup_maker(const backup_sources& from, const backup_options& wanted, repository& to)
      : from_(from), wanted_(wanted), to_(to), pace_(wanted.bytes_per_s, wanted.goes_on) {}

  result<backup_made> make() {
    backup_info head;
    head.made_at_ms = std::max(now_ms(), look_at_last() + 1);
    head.id = backup_id_of(head.made_at_ms);
    head.version = version;
    auto path = to_.draft();
    if (!path) return path.error();
    auto manifest = manifest_writer::begin(*path, head);
    if (!manifest) return manifest.error();
    manifest_ = &*manifest;
    held_moment held(from_.data_dir);
    if (auto done = hold(held); !done) return done.error();
    if (auto done = add_store(held); !done) return done.error();
    if (auto done = add_attachments(held); !done) return done.error();
    for (const char* part : {"work", "audit"})
      if (auto done = add_below(part); !done) return done.error();
    if (auto done = keep_keys(head.id); !done) return done.error();
    if (auto done = manifest->finish(pace_.now().new_bytes); !done) return done.error();
    if (auto done = to_.publish(head.id); !done) return done.error();
    backup_made made;
    made.info = manifest->info();
    made.without = without_;
    // Whether older ones go or not: this one is made.
    if (auto forgotten = to_.forget_old(wanted_.keep))
      made.forgotten = *forgotten;
    else
      made.not_forgotten = forgotten.error().detail;
    return made;
  }

  const std::vector<left_out>& without() const { return without_; }

 private:
  // An attachment that goes beside the checkpoint is held before, one that comes is held after.
  result<void> hold(held_moment& held) {
    if (auto begun = held.begin(); !begun) return begun;
    if (auto done = hold_attachments(held); !done) return done;
    if (auto taken = held.take(from_.log); !taken) return taken;
    if (auto done = hold_attachments(held); !done) return done;
    bool stopped = false;
    const auto goes_on = [&](std::uint64_t bytes) { return !(stopped = !pace_.took(bytes)); };
    if (auto good = storage::verify_store(held.moment(), goes_on); !good) {
      if (stopped) return error(codes::backup_stopped, "the backup was stopped");
      auto why = good.error();
      if (const auto at = why.detail.find(held.moment()); at != std::string::npos)
        why.detail.replace(at, held.moment().size(), from_.data_dir);
      why.detail += "; soma repair mends a store";
      return why;
    }
    return {};
  }

  result<void> hold_attachments(held_moment& held) {
    auto all = files::bytes_of_attachments(from_.log);
    if (!all) return all.error();
    for (const auto& one : *all) {
      if (auto done = held.hold_attachment(one.name); !done) return done;
      attachments_.emplace(one.name, one);
    }
    return {};
  }

  // When it was made; 0: there is none. A table never changes under its name: one of the same size
  // and time was copied before.
  std::int64_t look_at_last() {
    const auto last = to_.id_of({});
    if (!last) return 0;
    if (const auto info = read_manifest_ends(to_.manifest_path(*last)); !info) return 0;
    auto info = read_manifest(to_.manifest_path(*last), [&](const entry& one) -> result<void> {
      if (one.path.starts_with("store/") && one.path.ends_with(".sst")) known_[one.path] = one;
      return {};
    });
    if (!info) known_.clear();
    return read_manifest_ends(to_.manifest_path(*last))->made_at_ms;
  }

  result<void> add_store(const held_moment& held) {
    const tools::descriptor folder(
        ::open((held.moment() + "/store").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return unavailable("cannot read the store's copy");
    auto names = names_in(folder.get());
    if (!names) return names.error();
    for (const auto& name : *names) {
      if (name == "LOCK") continue;
      entry one;
      one.path = "store/" + name;
      auto done =
          add_file(::openat(folder.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW), one);
      if (!done) return error(done.error().code, one.path + ": " + done.error().detail);
    }
    return {};
  }

  result<void> add_attachments(const held_moment& held) {
    std::vector<left_out> missing;
    for (const auto& [name, of] : attachments_) {
      const auto size = of.size_bytes;
      entry one;
      one.path = "attachments/" + name.substr(0, 2) + "/" + name;
      one.sha256 = of.sha256;
      one.size = size;
      if (!to_.has(of.sha256, size)) {
        const auto kept = keep_attachment(held, name, one);
        if (!kept && kept.error().code != codes::storage_corrupt) return kept;
        if (!kept) {
          missing.push_back({name, kept.error().detail});
          continue;
        }
      } else {
        ++pace_.now().files;
        pace_.now().bytes += size;
        if (auto goes_on = pace_.took(0); !goes_on) return goes_on;
      }
      if (auto done = manifest_->add(one); !done) return done;
    }
    return missing.empty() ? result<void>() : tell_damaged(missing);
  }

  result<void> keep_attachment(const held_moment& held, const std::string& name,
                               const entry& wanted) {
    const tools::descriptor file(held.open_attachment(name));
    if (!file && errno == ENOENT) return error(codes::storage_corrupt, "it is not there");
    if (!file && (errno == EMFILE || errno == ENFILE)) return unavailable(std::strerror(errno));
    if (!file) return error(codes::storage_corrupt, std::strerror(errno));
    entry found;
    if (auto done = keep(file.get(), UINT64_MAX, to_.contents(), pace_, found); !done) return done;
    if (found.sha256 != wanted.sha256 || found.size != wanted.size)
      return error(codes::storage_corrupt, "its bytes are not those that were uploaded");
    return {};
  }

  // But for those that were deleted meanwhile, by their users.
  result<void> tell_damaged(const std::vector<left_out>& missing) {
    auto now = files::bytes_of_attachments(from_.log);
    if (!now) return now.error();
    std::set<std::string> there;
    for (auto& one : *now) there.insert(std::move(one.name));
    for (const auto& one : missing)
      if (there.count(one.path))
        without_.push_back({"attachment " + attachments_[one.path].named + ", " +
                                files::content_path(from_.data_dir + "/attachments", one.path),
                            one.why});
    if (without_.empty() || wanted_.leave_out_damaged) return {};
    return error(codes::storage_corrupt,
                 std::to_string(without_.size()) +
                     " files of attachments are damaged or missing. Uploading the same bytes again "
                     "mends them; --leave-out-damaged copies all else");
  }

  // Of a folder of people's files, which may change while it is read: each file as it is then. The
  // part itself may lie elsewhere, by a link of who runs the server.
  result<void> add_below(const std::string& part) {
    const tools::descriptor folder(
        ::open((from_.data_dir + "/" + part).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder && errno == ENOENT) return {};
    if (!folder) return unavailable(part + ": " + std::strerror(errno));
    if (auto done = add_folder(folder.get(), part, 0); !done) return done;
    // What the audit's first segments end in, of after they were copied.
    return part == "audit" ? add_entry(folder.get(), "checkpoint.json", "audit/checkpoint.json", 0)
                           : result<void>();
  }

  result<void> add_folder(int folder, const std::string& path, int depth) {
    if (depth > files::walk_depth_max) return leave_out(path, "it lies too deep");
    auto names = names_in(folder);
    if (!names) return leave_out(path, names.error().detail);
    for (const auto& name : *names) {
      if (depth == 0 && is_passed_over(path, name)) continue;
      if (auto done = add_entry(folder, name, path + "/" + name, depth); !done) return done;
    }
    return {};
  }

  // What a program did to its own files ends no backup of everybody's.
  result<void> leave_out(const std::string& path, const std::string& why) {
    if (path.starts_with("audit")) return unavailable(path + ": " + why);
    if (without_.size() < without_max) without_.push_back({path, why});
    return {};
  }

  result<void> add_entry(int folder, const std::string& name, const std::string& path, int depth) {
    struct stat found {};
    if (::fstatat(folder, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0)
      return errno == ENOENT ? result<void>() : leave_out(path, std::strerror(errno));
    entry one;
    one.path = path;
    if (S_ISREG(found.st_mode)) {
      one.mode = found.st_mode & 0777u;
      const auto done = add_file(open_file_inner(folder, name.c_str()), one);
      if (done || done.error().code != codes::storage_corrupt) return done;
      return leave_out(path, done.error().detail);
    }
    if (S_ISLNK(found.st_mode)) {
      char target[4096];
      const auto n = ::readlinkat(folder, name.c_str(), target, sizeof target);
      if (n <= 0 || static_cast<std::size_t>(n) == sizeof target) return {};
      one.what = entry::kind::link;
      one.target.assign(target, static_cast<std::size_t>(n));
      return manifest_->add(one);
    }
    if (!S_ISDIR(found.st_mode)) return {};  // pipes and sockets hold nothing
    const auto inner = files::open_inner(folder, name);
    if (!inner.valid())
      return errno == ENOENT ? result<void>() : leave_out(path, std::strerror(errno));
    one.what = entry::kind::folder;
    if (auto done = manifest_->add(one); !done) return done;
    return add_folder(inner.get(), path, depth + 1);
  }

  // Of an open file; below 0: what open said stands in errno. storage.corrupt: it cannot be read.
  result<void> add_file(int opened, entry& one) {
    const auto why = errno;
    const tools::descriptor file(opened);
    struct stat found {};
    if (!file && why == ENOENT) return {};
    if (!file && (why == EMFILE || why == ENFILE)) return unavailable(std::strerror(why));
    if (!file || ::fstat(file.get(), &found) != 0)
      return error(codes::storage_corrupt, std::strerror(why));
    if (!S_ISREG(found.st_mode)) return {};
    const auto size = static_cast<std::uint64_t>(found.st_size);
    if (one.path.starts_with("store/"))
      one.mtime_ns = std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec;
    if (const auto at = known_.find(one.path); at != known_.end() && at->second.size == size &&
                                               at->second.mtime_ns == one.mtime_ns &&
                                               to_.has(at->second.sha256, size)) {
      one = at->second;
      return add_known(one);
    }
    // What grows while it is read is taken as it was when it was opened.
    if (auto done = hash(file.get(), size, pace_, one); !done) return done;
    if (to_.has(one.sha256, one.size)) return add_known(one);
    if (::lseek(file.get(), 0, SEEK_SET) != 0)
      return error(codes::storage_corrupt, std::strerror(errno));
    if (auto done = keep(file.get(), size, to_.contents(), pace_, one); !done) return done;
    return manifest_->add(one);
  }

  result<void> add_known(const entry& one) {
    ++pace_.now().files;
    pace_.now().bytes += one.size;
    if (auto goes_on = pace_.took(0); !goes_on) return goes_on;
    return manifest_->add(one);
  }

  // Without them API keys and cookies are void, and the audit's chain ends.
  result<void> keep_keys(const std::string& id) {
    const tools::descriptor secret(
        ::open((from_.data_dir + "/secret").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!secret && errno == ENOENT) return {};
    const auto failed = [](const std::string& what) {
      return unavailable("cannot copy the server's keys: " + what);
    };
    if (!secret) return failed(std::strerror(errno));
    auto names = names_in(secret.get());
    if (!names) return failed(names.error().detail);
    const auto folder = to_.keys_folder(id);
    std::error_code ec;
    fs::remove_all(folder, ec);
    if (::mkdir(folder.c_str(), 0700) != 0) return failed(std::strerror(errno));
    for (const auto& name : *names) {
      entry one;
      one.what = entry::kind::key;
      one.path = name;
      auto kept = copy_key(secret.get(), name, folder + "/" + name, one);
      if (!kept) return failed(kept.error().detail);
      if (auto done = manifest_->add(one); !done) return done;
    }
    return sync_folder(folder) && sync_folder(fs::path(folder).parent_path().string())
               ? result<void>()
               : failed("cannot sync them");
  }

  result<void> copy_key(int secret, const std::string& name, const std::string& to, entry& out) {
    const tools::descriptor file(files::open_beneath(secret, name.c_str(), O_RDONLY));
    std::string text(key_bytes_max + 1, '\0');
    const auto n = file ? ::read(file.get(), text.data(), text.size()) : -1;
    if (n < 0 || !is_key_name(name)) return unavailable(name + " cannot be read");
    if (static_cast<std::size_t>(n) > key_bytes_max) return unavailable(name + " is no key");
    text.resize(static_cast<std::size_t>(n));
    out.size = text.size();
    out.sha256 = security::hex(security::bytes_of(security::sha256(text)));
    const tools::descriptor into(
        ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    const bool written =
        into && ::write(into.get(), text.data(), text.size()) == n && ::fsync(into.get()) == 0;
    wipe(text);
    return written ? result<void>() : unavailable(std::strerror(errno));
  }

  static constexpr std::size_t without_max = 1000, key_bytes_max = 64 * 1024;

  const backup_sources& from_;
  const backup_options& wanted_;
  repository& to_;
  pace pace_;
  manifest_writer* manifest_ = nullptr;
  std::map<std::string, files::kept_bytes> attachments_;  // by name
  std::unordered_map<std::string, entry> known_;
  std::vector<left_out> without_;
};

}  // namespace

void forget_unfinished(const std::string& data_dir) {
  std::error_code ec;
  fs::remove_all(data_dir + held_name, ec);
}

result<backup_made> make_backup(const backup_sources& from, const backup_options& wanted,
                                std::vector<left_out>* damaged) {
  if (const auto around = part_around(from.data_dir, wanted.folder); !around.empty())
    return unavailable(wanted.folder + " is in " + around +
                       ", which is what is backed up: name a folder beside the data folder");
  auto to = repository::open(wanted.folder, repository::use::writes);
  if (!to) return to.error();
  backup_maker maker(from, wanted, *to);
  auto made = maker.make();
  if (damaged) *damaged = maker.without();
  return made;
}

std::string part_around(const std::string& data_dir, const std::string& folder) {
  std::error_code ec;
  for (auto at = fs::weakly_canonical(fs::absolute(folder, ec), ec); !ec; at = at.parent_path()) {
    for (const char* part : {"", "/store", "/attachments", "/secret", "/work", "/audit"}) {
      std::error_code none;
      if (fs::equivalent(at, data_dir + part, none)) return data_dir + part;
    }
    if (at == at.root_path() || at.empty()) break;
  }
  return {};
}

}  // namespace soma::backup
