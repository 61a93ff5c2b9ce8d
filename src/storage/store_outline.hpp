// What the MANIFEST says of a store, learnt without opening a table of it, and environments in
// which tables are not what lies on the disk: so a store can be read that has lost some. Blocks.
// Private to storage.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"

namespace rocksdb {
class Env;
}

namespace soma::storage {

struct live_table {
  std::string name, family;  // 000012.sst, events
  std::uint64_t bytes = 0;
  std::string smallest, largest;  // keys
};

// The tables that the store is made of; others in its folder are left over. Errors:
// storage.corrupt (the MANIFEST), storage.unavailable.
result<std::vector<live_table>> live_tables(const std::string& folder);

// No table can be opened, and where it is said no log is there.
std::unique_ptr<rocksdb::Env> env_without_tables(bool without_logs);

// The bytes of a table without rows that can be read in the place of that one.
result<std::string> stand_in_for(const live_table& table);
// By the tables' names.
std::unique_ptr<rocksdb::Env> env_with_stand_ins(std::map<std::string, std::string> stand_ins);

}  // namespace soma::storage
