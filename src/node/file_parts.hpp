// Attachments and work folders of a node, put together: the stores, the threads that serve them,
// and the janitor that does what is due.
//
// Lifetime: made before the routes; `stop` comes after the server has stopped and before its io
// contexts end. The event log outlives it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "app/file_services.hpp"
#include "core/config.hpp"
#include "core/error.hpp"
#include "storage/event_log.hpp"
#include "tools/catalog_runner.hpp"
#include "tools/work_pool.hpp"

namespace soma {

class file_parts {
 public:
  // Errors: storage.unavailable, storage.full.
  static result<std::unique_ptr<file_parts>> make(const config& settings,
                                                  storage::event_log& events);
  ~file_parts();

  app::file_services& services() { return services_; }
  files::attachment_store& attachments() { return *attachments_; }
  files::work_folders& folders() { return *folders_; }
  // file_read, file_write, file_list. This outlives the runner.
  void add_tools(tools::catalog_runner& runner);
  tools::work_pool& tool_threads() { return tool_threads_; }

  void stop();

 private:
  file_parts(storage::event_log& events, std::unique_ptr<files::scanner> scanner,
             std::unique_ptr<files::attachment_store> attachments,
             std::unique_ptr<files::work_folders> folders, std::size_t uploads_max);
  void clean_up();
  void one_round(std::uint64_t round);
  void remove_orphans();
  result<void> forget_imports();

  storage::event_log& events_;
  std::unique_ptr<files::scanner> scanner_;
  std::unique_ptr<files::attachment_store> attachments_;
  std::unique_ptr<files::work_folders> folders_;
  app::lane pool_, reads_, hashes_;
  tools::work_pool tool_threads_;
  app::file_services services_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::set<std::string> imports_missing_;  // the janitor's: rows whose session was not there
  std::thread janitor_;
};

}  // namespace soma
