#include "security/secrets/tenant_keys.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/codes.hpp"
#include "core/time.hpp"
#include "security/digest.hpp"
#include "security/secrets/sealed_text.hpp"

namespace soma::security {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view first_line = "soma-tenant-key 1", erased_word = "erased ";
constexpr std::string_view new_end = ".new", old_end = ".old";
constexpr std::size_t key_bytes = 32, file_bytes_max = 4096;

error disk_error(const std::string& path, int number) {
  const bool full = number == ENOSPC || number == EDQUOT;
  return {full ? codes::storage_full : codes::storage_unavailable,
          "the key file " + path + ": " + std::generic_category().message(number)};
}

error erased_error() {
  return {codes::tenant_erased, "the tenant was erased, and its key destroyed"};
}

// Whose lines would be others' in its file, and its rows another's in the store.
result<void> be_one_line(const tenant_id& tenant) {
  const auto& id = tenant.value;
  const bool plain = !id.empty() && std::none_of(id.begin(), id.end(), [](unsigned char c) {
    return c < ' ' || c == 0x7f;
  });
  return plain ? result<void>() : error(codes::config_invalid, "that is no tenant's id");
}

std::string bound_to(const tenant_id& tenant) {
  return "tenant key\n" + tenant.value;
}

// Closed at its end.
class file {
 public:
  file(const std::string& path, int how) : fd_(::open(path.c_str(), how | O_CLOEXEC, 0600)) {}
  ~file() {
    if (fd_ >= 0) ::close(fd_);
  }
  file(const file&) = delete;
  bool opened() const { return fd_ >= 0; }
  bool write_and_sync(std::string_view text) const {
    while (!text.empty()) {
      const auto n = ::write(fd_, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return ::fsync(fd_) == 0;
  }
  bool sync() const { return ::fsync(fd_) == 0; }
  ssize_t read(char* into, std::size_t size) const { return ::read(fd_, into, size); }

 private:
  const int fd_;
};

// Overwritten before its name goes. What the disk itself kept of it (a journal, a worn block) is
// out of reach; docs/security.md says what makes that worthless.
result<void> destroy(const std::string& path) {
  {
    const file over(path, O_WRONLY | O_NOFOLLOW);
    if (!over.opened()) return disk_error(path, errno);
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) return disk_error(path, errno);
    if (!over.write_and_sync(random_bytes(static_cast<std::size_t>(found.st_size))))
      return disk_error(path, errno);
  }
  if (::unlink(path.c_str()) != 0) return disk_error(path, errno);
  const file folder(fs::path(path).parent_path().string(), O_RDONLY | O_DIRECTORY);
  return folder.opened() && folder.sync() ? result<void>() : disk_error(path, errno);
}

// Where it was not said yet that the tenant is erased, its file is still the same, and a key.
result<void> finish_destroying(const fs::path& old) {
  auto path = old;
  path.replace_extension();
  struct stat gone {
  }, now{};
  const bool same = ::stat(old.c_str(), &gone) == 0 && ::stat(path.c_str(), &now) == 0 &&
                    gone.st_ino == now.st_ino && gone.st_dev == now.st_dev;
  if (!same) return destroy(old.string());
  return ::unlink(old.c_str()) == 0 ? result<void>() : disk_error(old.string(), errno);
}

// A hash, and what this class puts behind it.
bool is_file_of_key(const fs::path& path) {
  const auto end = path.extension();
  const auto name = (end == new_end || end == old_end ? path.stem() : path.filename()).string();
  return name.size() == 64 && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const auto line = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return line;
}

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return n;
}

}  // namespace

std::string tenant_keys_folder(const std::string& data_dir) {
  return data_dir + "/tenant-keys";
}

std::string fingerprint_of(const value_key& key) {
  return hex(key.derive("fingerprint").reveal()).substr(0, 16);
}

std::string tenant_keys::path_of(const tenant_id& tenant) const {
  return options_.folder + '/' + hex(bytes_of(sha256(tenant.value)));
}

result<std::unique_ptr<tenant_keys>> tenant_keys::open(tenant_keys_options options) {
  if (options.makes && options.wraps.empty() && !options.to_erase)
    return error(codes::secret_key_missing,
                 "storage.encrypt_events wants GATEWAY_ENC_KEY (auth.enc_key "
                 "or auth.enc_key_file), "
                 "which wraps the keys of tenants");
  std::unique_ptr<tenant_keys> made(new tenant_keys(std::move(options)));
  if (auto read = made->load(); !read) return read.error();
  return made;
}

result<void> tenant_keys::load() {
  std::error_code ec;
  if (!fs::exists(options_.folder, ec)) return {};
  for (fs::directory_iterator next(options_.folder, ec), end; !ec && next != end;
       next.increment(ec)) {
    const auto& one = *next;
    // What others keep there while they copy it, such as rsync's .NAME.XXXXXX.
    if (!is_file_of_key(one.path())) continue;
    // What a crash left of writing one: the one it was to replace is there.
    if (one.path().extension() == new_end) continue;
    if (one.path().extension() == old_end) {  // a crash came while the key was destroyed
      if (auto done = finish_destroying(one.path()); !done) return done.error();
      continue;
    }
    tenant_id tenant;
    auto found = read(one.path().string(), tenant);
    if (!found && options_.to_erase) continue;
    if (!found) return found.error();
    if (!found->erased_at_ms && !options_.to_erase) {
      if (options_.wraps.empty())
        return error(codes::secret_key_missing,
                     "tenants' values are sealed here, and GATEWAY_ENC_KEY is not set, which wraps "
                     "their keys");
      auto key = unwrap(tenant, found->wrapped);
      if (!key) return key.error();
      found->key = std::make_shared<const value_key>(std::move(*key));
    }
    entries_.insert_or_assign(std::move(tenant), std::move(*found));
  }
  if (ec) return disk_error(options_.folder, ec.value());
  return {};
}

result<tenant_keys::entry> tenant_keys::read(const std::string& path, tenant_id& tenant) const {
  const file in(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  std::string text(file_bytes_max, '\0');
  const auto n = in.opened() ? in.read(text.data(), text.size()) : -1;
  if (n < 0) return disk_error(path, errno);
  std::string_view rest(text.data(), static_cast<std::size_t>(n));
  const auto first = take_line(rest);
  tenant = tenant_id(std::string(take_line(rest)));
  const auto made = number_of(take_line(rest));
  const auto last = take_line(rest);
  entry out;
  if (first != first_line || tenant.empty() || !made || last.empty() ||
      fs::path(path).filename() != fs::path(path_of(tenant)).filename())
    return error(codes::storage_corrupt, path + " is no tenant's key");
  out.made_at_ms = *made;
  if (last.starts_with(erased_word)) {
    out.erased_at_ms = number_of(last.substr(erased_word.size()));
    if (!out.erased_at_ms) return error(codes::storage_corrupt, path + " is no tenant's key");
  } else {
    out.wrapped = last;
  }
  return out;
}

result<secret_string> tenant_keys::unwrap(const tenant_id& tenant, std::string_view wrapped) const {
  for (const auto& one : options_.wraps)
    if (auto opened = unseal(one, bound_to(tenant), wrapped))
      if (opened->reveal().size() == key_bytes) return opened;
  return error(codes::secret_key_wrong,
               "the key of tenant " + tenant.value +
                   " does not open with GATEWAY_ENC_KEY: " + path_of(tenant));
}

result<void> tenant_keys::write(const tenant_id& tenant, const entry& what) const {
  std::error_code ec;
  if (!fs::exists(options_.folder, ec)) {
    if (::mkdir(options_.folder.c_str(), 0700) != 0 && errno != EEXIST)
      return disk_error(options_.folder, errno);
    const file parent(fs::path(options_.folder).parent_path().string(), O_RDONLY | O_DIRECTORY);
    if (!parent.opened() || !parent.sync()) return disk_error(options_.folder, errno);
  }
  const auto path = path_of(tenant), fresh = path + std::string(new_end);
  const auto text =
      std::string(first_line) + '\n' + tenant.value + '\n' + std::to_string(what.made_at_ms) +
      '\n' +
      (what.erased_at_ms ? std::string(erased_word) + std::to_string(*what.erased_at_ms)
                         : what.wrapped) +
      '\n';
  {
    const file out(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (!out.opened() || !out.write_and_sync(text)) return disk_error(fresh, errno);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return disk_error(path, errno);
  const file folder(options_.folder, O_RDONLY | O_DIRECTORY);
  if (!folder.opened() || !folder.sync()) return disk_error(options_.folder, errno);
  return {};
}

result<std::shared_ptr<const value_key>> tenant_keys::for_reading(const tenant_id& tenant) const {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(tenant);
  if (at == entries_.end())
    return error(codes::secret_key_missing,
                 "the key of tenant " + tenant.value + " is not in " + options_.folder);
  if (at->second.erased_at_ms) return erased_error();
  if (!at->second.key)
    return error(codes::secret_key_wrong, "the key of tenant " + tenant.value + " was not opened");
  return at->second.key;
}

result<std::shared_ptr<const value_key>> tenant_keys::for_writing(const tenant_id& tenant) {
  const auto known = [&]() -> std::optional<result<std::shared_ptr<const value_key>>> {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(tenant);
    if (at == entries_.end()) return std::nullopt;
    if (at->second.erased_at_ms) return result<std::shared_ptr<const value_key>>(erased_error());
    return result<std::shared_ptr<const value_key>>(options_.makes ? at->second.key : nullptr);
  };
  if (auto found = known()) return std::move(*found);
  if (!options_.makes) return std::shared_ptr<const value_key>();
  const std::lock_guard alone(change_mutex_);
  if (auto found = known()) return std::move(*found);
  if (auto plain = be_one_line(tenant); !plain) return plain.error();
  // A note that failed may have been taken all the same: what is noted then is
  // of this key, which no other may take the place of.
  auto at = unnoted_.find(tenant);
  if (at == unnoted_.end()) {
    secret_string key(random_bytes(key_bytes));
    entry made;
    made.made_at_ms = now_ms();
    made.wrapped = security::seal(options_.wraps.front(), bound_to(tenant), key.reveal());
    // Before anything is sealed under it: what no key opens any more would be
    // lost.
    if (auto written = write(tenant, made); !written) return written.error();
    made.key = std::make_shared<const value_key>(std::move(key));
    at = unnoted_.emplace(tenant, std::move(made)).first;
  }
  if (options_.on_made)
    if (auto told = options_.on_made(tenant, fingerprint_of(*at->second.key)); !told)
      return told.error();
  const std::lock_guard lock(mutex_);
  auto key = entries_.insert_or_assign(tenant, std::move(at->second)).first->second.key;
  unnoted_.erase(at);
  return key;
}

bool tenant_keys::had_key(const tenant_id& tenant) const {
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = entries_.find(tenant); at != entries_.end())
      return at->second.made_at_ms != at->second.erased_at_ms;
  }
  std::error_code ec;
  return fs::exists(path_of(tenant), ec);
}

bool tenant_keys::erased(const tenant_id& tenant) const {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(tenant);
  return at != entries_.end() && at->second.erased_at_ms;
}

result<void> tenant_keys::check(const tenant_id& tenant, std::string_view fingerprint) const {
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(tenant);
  if (at != entries_.end() && at->second.erased_at_ms) return {};
  const auto which = "the key of tenant " + tenant.value;
  if (at == entries_.end())
    return error(codes::secret_key_missing,
                 which + " is not in " + options_.folder +
                     ", and values are sealed by it: bring that folder back (no backup has it), or "
                     "give them up by soma tenant erase");
  if (at->second.key && fingerprint_of(*at->second.key) == fingerprint) return {};
  return error(codes::secret_key_wrong,
               which + " in " + options_.folder + " is not the one that values are sealed by");
}

std::vector<std::pair<tenant_id, std::string>> tenant_keys::fingerprints() const {
  std::vector<std::pair<tenant_id, std::string>> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [tenant, one] : entries_)
    if (one.key) all.emplace_back(tenant, fingerprint_of(*one.key));
  return all;
}

bool tenant_keys::unused() const {
  const std::lock_guard lock(mutex_);
  return !options_.makes && entries_.empty();
}

result<std::size_t> tenant_keys::rotate(std::vector<secret_string> wraps) {
  const std::lock_guard alone(change_mutex_);
  std::map<tenant_id, entry> all;
  {
    const std::lock_guard lock(mutex_);
    all = entries_;
  }
  std::size_t done = 0;
  if (wraps.empty()) {
    for (const auto& [tenant, one] : all)
      if (one.key)
        return error(codes::secret_key_missing, "tenants' keys are wrapped by GATEWAY_ENC_KEY");
    return done;
  }
  const auto wrap_anew = [&](const tenant_id& tenant, entry& one) -> result<bool> {
    if (!one.key || unseal(wraps.front(), bound_to(tenant), one.wrapped)) return false;
    auto key = unwrap(tenant, one.wrapped);  // by the keys of before
    if (!key) return key.error();
    one.wrapped = security::seal(wraps.front(), bound_to(tenant), key->reveal());
    if (auto written = write(tenant, one); !written) return written.error();
    ++done;
    return true;
  };
  for (auto& [tenant, one] : all) {
    const auto changed = wrap_anew(tenant, one);
    if (!changed) return changed.error();
    if (!*changed) continue;
    const std::lock_guard lock(mutex_);
    entries_[tenant].wrapped = one.wrapped;
  }
  for (auto& [tenant, one] : unnoted_)
    if (const auto changed = wrap_anew(tenant, one); !changed) return changed.error();
  options_.wraps = std::move(wraps);
  return done;
}

result<bool> tenant_keys::erase(const tenant_id& tenant, std::int64_t now_ms) {
  const std::lock_guard alone(change_mutex_);
  if (auto plain = be_one_line(tenant); !plain) return plain.error();
  entry gone;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = entries_.find(tenant); at != entries_.end()) {
      if (at->second.erased_at_ms) return false;
      gone = at->second;
    }
  }
  // Whatever its file holds: one that cannot be read may be read by others.
  const auto path = path_of(tenant), old = path + std::string(old_end);
  const bool had = ::link(path.c_str(), old.c_str()) == 0 || errno == EEXIST;
  if (!had && errno != ENOENT) return disk_error(path, errno);
  // The same time twice: it never had a key.
  if (gone.made_at_ms == 0) gone.made_at_ms = had ? now_ms - 1 : now_ms;
  gone.erased_at_ms = now_ms;
  gone.wrapped.clear();
  gone.key.reset();
  // First it is said, so that no start takes it for a key that is damaged.
  if (auto written = write(tenant, gone); !written) return written.error();
  if (auto done = had ? destroy(old) : result<void>(); !done) return done.error();
  unnoted_.erase(tenant);
  const std::lock_guard lock(mutex_);
  entries_.insert_or_assign(tenant, std::move(gone));
  return had;
}

}  // namespace soma::security
