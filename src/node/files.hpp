// Attachments and work folders of a node: the stores, the threads that serve them, and their
// janitor.
//
// Lifetime: made before the tools and the doors; `stop` comes after the server has stopped and
// before its io contexts end. The event log outlives it.
#pragma once

#include <memory>

#include "app/file_services.hpp"
#include "app/session_facts.hpp"
#include "core/config.hpp"
#include "core/error.hpp"
#include "node/file_janitor.hpp"
#include "storage/event_log.hpp"
#include "tools/work_pool.hpp"

namespace soma {

class node_files {
 public:
  // Errors: storage.unavailable, storage.full.
  static result<std::unique_ptr<node_files>> open(const config& settings,
                                                  storage::event_log& events,
                                                  app::fact_table& facts,
                                                  security::tenant_keys& keys);
  ~node_files() { stop(); }

  app::file_services& services() { return services_; }
  files::attachment_store& attachments() { return *attachments_; }
  files::work_folders& folders() { return *folders_; }
  tools::work_pool& tool_threads() { return tool_threads_; }

  // The janitor and the threads that serve requests; those of tools go on.
  void stop();

 private:
  node_files(storage::event_log& events, std::unique_ptr<files::scanner> scanner,
             std::unique_ptr<files::attachment_store> attachments,
             std::unique_ptr<files::work_folders> folders, std::size_t uploads_max);

  const std::unique_ptr<files::scanner> scanner_;
  const std::unique_ptr<files::attachment_store> attachments_;
  const std::unique_ptr<files::work_folders> folders_;
  app::lane pool_, reads_, hashes_;
  tools::work_pool tool_threads_;
  app::file_services services_;
  file_janitor janitor_;
};

}  // namespace soma
