// The thread that does what is due of files and old rows: attachments nobody uses, folders of
// deleted sessions, imports and usage of long ago. A look every two seconds; what takes longer
// every three hours.
//
// Works from its construction until stop or its end. Lifetime: what it is given outlives it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "core/error.hpp"
#include "files/attachment_store.hpp"
#include "files/work_folder.hpp"
#include "storage/event_log.hpp"

namespace soma {

class file_janitor {
 public:
  file_janitor(storage::event_log& events, files::attachment_store& attachments,
               files::work_folders& folders);
  ~file_janitor() { stop(); }
  file_janitor(const file_janitor&) = delete;

  // After the round it is at.
  void stop();

 private:
  void run();
  void one_round(std::uint64_t round);
  void remove_orphans();
  void remove_folders();
  void remove_bytes();
  result<void> forget_imports();

  storage::event_log& events_;
  files::attachment_store& attachments_;
  files::work_folders& folders_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::set<std::string> imports_missing_;  // the thread's: rows whose session was not there
  std::thread thread_;
};

}  // namespace soma
