#include "app/node_vitals.hpp"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/codes.hpp"
#include "core/may_block.hpp"
#include "observability/log.hpp"

namespace soma::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t store_looked_at_every = 30;  // looks
constexpr std::size_t store_files_max = 20'000;      // looked at
constexpr std::size_t damage_told_max = 1024;

}  // namespace

void node_vitals::sample() {
  expect_may_block("a look at the disk");
  look_at_disk();
  look_at_process();
  if (looks_++ % store_looked_at_every == 0) look_at_store();
}

void node_vitals::look_at_disk() {
  struct statvfs disk {};
  const bool seen = ::statvfs(data_dir_.c_str(), &disk) == 0;
  if (seen) {
    free_bytes_ = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
    free_inodes_ = disk.f_files == 0 ? UINT64_MAX : static_cast<std::uint64_t>(disk.f_favail);
  }
  disk_seen_ = seen;
}

void node_vitals::look_at_process() {
  std::error_code ec;
  std::uint64_t open = 0;
  for (fs::directory_iterator at("/proc/self/fd", ec), end; !ec && at != end; at.increment(ec))
    ++open;
  files_open_ = open;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) files_max_ = limit.rlim_cur;
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0, resident = 0;
  if (statm >> pages >> resident)
    resident_bytes_ = resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void node_vitals::look_at_store() {
  std::error_code ec;
  std::uint64_t bytes = 0;
  std::size_t files = 0;
  // Files come and go meanwhile; what is gone counts nothing.
  for (fs::directory_iterator at(data_dir_ + "/store", ec), end;
       !ec && at != end && files < store_files_max; at.increment(ec), ++files) {
    std::error_code gone;
    const auto size = at->file_size(gone);
    if (!gone) bytes += size;
  }
  store_bytes_ = bytes;
}

void node_vitals::on_store_failed(const error& why, const session_key* session) {
  if (why.code == codes::storage_full) {
    ++full_;
    refusing_ = true;
    look_at_disk();  // health names what is free with the refusal
    log(log_level::error, "storage.full", {{"reason", why.detail}});
  } else if (why.code == codes::storage_corrupt) {
    ++damaged_;
    {
      const std::lock_guard lock(damage_mutex_);
      if (damaged_sessions_.size() + other_damage_.size() >= damage_told_max) return;
      const bool fresh = session ? damaged_sessions_.insert(*session).second
                                 : other_damage_.insert(why.detail).second;
      if (!fresh) return;
    }
    log_context about;
    if (session) {
      about.tenant_id = session->tenant.value;
      about.session_id = session->session.value;
    }
    log(log_level::error, "storage.damaged", {{"what", why.detail}}, about);
  } else {
    ++unavailable_;
    refusing_ = true;
    log(log_level::error, "storage.unavailable", {{"code", why.code}, {"reason", why.detail}});
  }
}

void node_vitals::on_session_cleared(const session_key& session) {
  const std::lock_guard lock(damage_mutex_);
  damaged_sessions_.erase(session);
}

std::size_t node_vitals::damage() const {
  const std::lock_guard lock(damage_mutex_);
  return damaged_sessions_.size() + other_damage_.size();
}

}  // namespace soma::app
