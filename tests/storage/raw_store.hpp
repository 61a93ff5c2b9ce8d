// A store's rows as they lie in RocksDB, for tests of the layout and of rows that are wrong.
#pragma once

#include <doctest/doctest.h>
#include <rocksdb/db.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace soma::storage::testing {

class raw_store {
 public:
  explicit raw_store(const std::string& data_dir) {
    const auto path = data_dir + "/store";
    std::vector<std::string> names;
    REQUIRE(rocksdb::DB::ListColumnFamilies({}, path, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    rocksdb::DB* db = nullptr;
    REQUIRE(rocksdb::DB::Open({}, path, families, &handles_, &db).ok());
    db_.reset(db);
    for (auto* handle : handles_) by_name_[handle->GetName()] = handle;
  }
  ~raw_store() {
    for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  }
  raw_store(const raw_store&) = delete;
  raw_store& operator=(const raw_store&) = delete;

  std::map<std::string, std::string> rows(const std::string& family) {
    std::map<std::string, std::string> found;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, by_name_.at(family)));
    for (it->SeekToFirst(); it->Valid(); it->Next())
      found[it->key().ToString()] = it->value().ToString();
    REQUIRE(it->status().ok());
    return found;
  }
  void put(const std::string& family, const std::string& key, const std::string& value) {
    REQUIRE(db_->Put({}, by_name_.at(family), key, value).ok());
  }
  void erase(const std::string& family, const std::string& key) {
    REQUIRE(db_->Delete({}, by_name_.at(family), key).ok());
  }
  void flush(const std::string& family) { REQUIRE(db_->Flush({}, by_name_.at(family)).ok()); }
  void add_family(const std::string& name) {
    REQUIRE(db_->CreateColumnFamily({}, name, &by_name_[name]).ok());
    handles_.push_back(by_name_[name]);
  }
  std::vector<std::string> families() const {
    std::vector<std::string> names;
    for (const auto& [name, handle] : by_name_) names.push_back(name);
    return names;
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::map<std::string, rocksdb::ColumnFamilyHandle*> by_name_;
};

}  // namespace soma::storage::testing
