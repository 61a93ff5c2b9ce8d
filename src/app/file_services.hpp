// What the routes of files stand on, one a process. Thread-safe; outlives the server.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

#include "app/caller.hpp"
#include "app/lanes.hpp"
#include "core/ids.hpp"
#include "files/attachment_store.hpp"
#include "files/work_folder.hpp"

namespace soma::app {

// Bodies on their way to the disk. A tenant has its own places and takes no other's; of them one
// person has a part, so that a slow client keeps only its own user waiting. Thread-safe.
class upload_places {
 public:
  // `tenant_max` of one tenant at once.
  explicit upload_places(std::size_t tenant_max);

  bool take(const tenant_id& tenant, const user_id& user);
  void give_back(const tenant_id& tenant, const user_id& user);

 private:
  const std::size_t tenant_max_, user_max_, all_max_;
  std::mutex mutex_;
  std::size_t all_ = 0;
  std::map<tenant_id, std::size_t> of_tenants_;
  std::map<std::pair<tenant_id, user_id>, std::size_t> of_users_;
};

struct file_services {
  files::attachment_store& attachments;
  files::work_folders& folders;
  // Threads of their own: a scan or a large file must not keep streams waiting, nor what is being
  // taken in and synced those who read, nor what is read whole for its hash those who read a piece.
  lane& pool;
  lane& reads;
  lane& hashes;
  upload_places uploads{32};
};

// Holds a place among the bodies on their way; false where all are taken.
class upload_place {
 public:
  upload_place(file_services& all, const caller& who)
      : all_(all.uploads), tenant_(who.tenant), user_(who.user), held_(all_.take(tenant_, user_)) {}
  ~upload_place() {
    if (held_) all_.give_back(tenant_, user_);
  }
  upload_place(const upload_place&) = delete;
  explicit operator bool() const { return held_; }

 private:
  upload_places& all_;
  const tenant_id tenant_;
  const user_id user_;
  const bool held_;
};

}  // namespace soma::app
