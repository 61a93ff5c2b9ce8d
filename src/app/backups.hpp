// Backups of the node, by whoever may ask for them. The use cases run on their caller's io thread.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "app/pipeline.hpp"
#include "backup/backup_keeper.hpp"

namespace soma::app {

class services;

struct backup_overview {
  bool set_up = false;  // backup.folder says where they go
  backup::keeper_status last;
  backup::known_backups known;
};

// For admins of the operator's tenant (caller.hpp): auth.forbidden. Errors: those of the disk,
// server.busy.
boost::asio::awaitable<result<backup_overview>> list_backups(services& s, const caller& who);
// Begins one, and says so at once. Errors: backup.not_set_up, backup.under_way.
result<backup::keeper_status> begin_backup(services& s, const admitted& in);

}  // namespace soma::app
