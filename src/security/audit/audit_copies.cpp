#include "security/audit/audit_copies.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "core/codes.hpp"
#include "core/time.hpp"
#include "observability/line_writer.hpp"
#include "observability/log.hpp"
#include "security/audit/audit_chain.hpp"
#include "security/audit/audit_manifest.hpp"
#include "security/digest.hpp"

namespace soma::security {
namespace {

constexpr std::size_t day_size = 10;  // of a record's `at`
constexpr std::size_t piece_bytes = 1024 * 1024;

error failed(const std::string& path) {
  return {codes::storage_unavailable, path + ": " + std::generic_category().message(errno)};
}

struct descriptor {
  int fd;
  ~descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return failed(path);
  return {};
}

// What a segment says of itself; its file is not whole where a line of it is no record.
struct description {
  audit_copy as;
  std::string day;
};

result<description> describe(const audit_segment& one) {
  description out;
  out.as.name = std::filesystem::path(one.path).filename().string();
  sha256_stream hash;
  bool right = true;
  const auto take = [&](std::string_view line) {
    const auto link = audit_link_of(line);
    if (!link) return right = false;
    if (out.day.empty()) {
      out.day = std::string(link->at.substr(0, day_size));
      out.as.first = link->seq;
      out.as.prev_hash = std::string(link->prev_hash);
    }
    out.as.last = link->seq;
    out.as.hash = std::string(link->hash);
    out.as.bytes += line.size() + 1;
    hash.update(line);
    hash.update("\n");
    return true;
  };
  const auto rest = each_audit_line(one.path, take);
  if (!rest) return rest.error();
  if (!right || !rest->empty() || out.day.empty())
    return error(codes::storage_corrupt, one.path + ": a line of it is no record");
  out.as.sha256 = hex(bytes_of(hash.finish()));
  return out;
}

// The bytes as they are, whole or not at all, and synced. Errors also where they are others than
// those of `as`.
result<void> copy_bytes(const std::string& from, const std::string& folder, const audit_copy& as) {
  const auto path = folder + "/" + as.name, fresh = path + ".new";
  {
    const descriptor in{open_audit_to_read(from)};
    if (in.fd < 0) return failed(from);
    const descriptor out{
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (out.fd < 0) return failed(fresh);
    sha256_stream hash;
    std::string piece(piece_bytes, '\0');
    for (;;) {
      const auto n = ::read(in.fd, piece.data(), piece.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed(from);
      if (n == 0) break;
      const std::string_view read(piece.data(), static_cast<std::size_t>(n));
      hash.update(read);
      std::size_t written = 0;
      if (!write_all(out.fd, read, written)) return failed(fresh);
    }
    if (::fsync(out.fd) != 0) return failed(fresh);
    if (hex(bytes_of(hash.finish())) != as.sha256)
      return error(codes::storage_corrupt, from + ": is another than a moment ago");
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0 || !sync_audit_folder(folder))
    return failed(path);
  return {};
}

std::string version_of(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  return std::to_string(info.st_ino) + ' ' + std::to_string(info.st_size) + ' ' +
         std::to_string(info.st_mtim.tv_sec) + ' ' + std::to_string(info.st_mtim.tv_nsec);
}

bool is_there(const std::string& folder, const audit_copy& one) {
  std::error_code ec;
  return std::filesystem::file_size(folder + "/" + one.name, ec) == one.bytes && !ec;
}

}  // namespace

audit_copies::audit_copies(std::string folder, std::string chain, std::string to, audit_key key)
    : folder_(std::move(folder)),
      chain_(std::move(chain)),
      to_(std::move(to)),
      key_(std::move(key)) {}

std::string audit_copies::why() const {
  const std::lock_guard lock(mutex_);
  return why_;
}

bool audit_copies::look(const std::string& head) {
  auto done = look_through();
  if (auto added = add_head(head); !added && done) done = added;
  const std::lock_guard lock(mutex_);
  if (!done && why_.empty())
    log(log_level::error, "audit.not_copied", {{"reason", done.error().detail}});
  why_ = done ? std::string() : done.error().detail;
  return done.has_value();
}

result<void> audit_copies::add_head(const std::string& head) {
  if (head.empty() || head == head_) return {};
  const auto chain = to_ + "/" + chain_, path = chain + "/heads.ndjson";
  for (const auto* folder : {&to_, &chain})
    if (auto made = make_folder(*folder); !made) return made;
  const descriptor file{
      ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (file.fd < 0) return failed(path);
  // What a full disk or a kill left of a line stays one by itself.
  const auto size = ::lseek(file.fd, 0, SEEK_END);
  char last = '\n';
  if (size < 0 || (size > 0 && ::pread(file.fd, &last, 1, size - 1) != 1)) return failed(path);
  std::size_t written = 0;
  if (!write_all(file.fd, (last == '\n' ? "" : "\n") + head + "\n", written) ||
      ::fsync(file.fd) != 0)
    return failed(path);
  head_ = head;
  return {};
}

// What is wrong with one keeps no other from being copied; what is wrong with the place does.
result<void> audit_copies::look_through() {
  const auto segments = audit_segments(folder_);
  result<void> out;
  bool all = true;  // that were looked at are there
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
    const auto& one = segments[i];
    const auto last = segments[i + 1].first - 1;
    if (last <= copied_) continue;
    auto done = ahead_.contains(one.first) ? result<void>() : copy_once(one, last);
    if (!done && done.error().code != codes::storage_corrupt) return done;
    if (!done) {
      if (out) out = done;
      all = false;
    } else if (all) {
      copied_ = last;
      ahead_.erase(one.first);
    } else {
      ahead_.insert(one.first);
    }
  }
  return out;
}

// A segment that is not right is read again only once its file is another.
result<void> audit_copies::copy_once(const audit_segment& one, std::uint64_t last) {
  const auto now = version_of(one.path);
  if (const auto at = wrong_.find(one.first); at != wrong_.end() && at->second.version == now)
    return at->second.why;
  wrong_.erase(one.first);
  auto done = copy(one, last);
  if (!done && done.error().code == codes::storage_corrupt)
    wrong_.insert_or_assign(one.first, wrong_one{now, done.error()});
  return done;
}

result<void> audit_copies::copy(const audit_segment& one, std::uint64_t last) {
  auto found = describe(one);
  if (!found) return found.error();
  if (found->as.last != last)
    return error(codes::storage_corrupt, one.path + ": does not reach to the next one");
  const auto chain = to_ + "/" + chain_, day = chain + "/" + found->day;
  for (const auto* folder : {&to_, &chain, &day})
    if (auto made = make_folder(*folder); !made) return made;
  auto kept = manifest_in(day);
  if (!kept) return kept.error();
  auto manifest = *kept ? std::move(**kept) : audit_manifest();
  const auto listed = std::find_if(manifest.files.begin(), manifest.files.end(),
                                   [&](const auto& it) { return it.name == found->as.name; });
  const bool is_listed = listed != manifest.files.end();
  if (is_listed && listed->sha256 != found->as.sha256)
    return error(codes::storage_corrupt, day + "/" + found->as.name + ": was another once");
  if (is_listed && is_there(day, found->as)) return {};
  if (auto copied = copy_bytes(one.path, day, found->as); !copied) return copied;
  if (is_listed) return {};
  manifest.chain = chain_;
  manifest.day = found->day;
  manifest.at = format_rfc3339(now_ms());
  manifest.files.push_back(std::move(found->as));
  sign_manifest(manifest, key_);
  if (!keep_manifest(day, manifest)) return failed(day);
  return sync_audit_folder(chain) ? result<void>() : result<void>(failed(chain));
}

}  // namespace soma::security
