#include "storage/store_outline.hpp"

#include <rocksdb/db.h>
#include <rocksdb/file_system.h>
#include <rocksdb/metadata.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "core/codes.hpp"

namespace soma::storage {
namespace {

constexpr std::size_t footer_bytes = 53;

error error_of_opening(const std::string& folder, const rocksdb::Status& s) {
  return {s.IsCorruption() ? codes::storage_corrupt : codes::storage_unavailable,
          "the tables of " + folder + " cannot be told: " + s.ToString()};
}

class silent_log final : public rocksdb::Logger {
 public:
  using Logger::Logv;
  void Logv(const char*, va_list) override {}
};

class bytes_in_memory final : public rocksdb::FSRandomAccessFile {
 public:
  explicit bytes_in_memory(std::string bytes) : bytes_(std::move(bytes)) {}
  rocksdb::IOStatus Read(std::uint64_t offset, std::size_t n, const rocksdb::IOOptions&,
                         rocksdb::Slice* found, char* scratch,
                         rocksdb::IODebugContext*) const override {
    const auto from = std::min<std::uint64_t>(offset, bytes_.size());
    const auto count = std::min<std::uint64_t>(n, bytes_.size() - from);
    std::memcpy(scratch, bytes_.data() + from, count);
    *found = rocksdb::Slice(scratch, count);
    return rocksdb::IOStatus::OK();
  }

 private:
  const std::string bytes_;
};

class arranged_fs : public rocksdb::FileSystemWrapper {
 public:
  arranged_fs() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "arranged_fs"; }
};

class without_tables final : public arranged_fs {
 public:
  explicit without_tables(bool without_logs) : without_logs_(without_logs) {}

  rocksdb::IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& how,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* dbg) override {
    if (name.ends_with(".sst")) return rocksdb::IOStatus::Corruption("not opened", name);
    return target()->NewRandomAccessFile(name, how, file, dbg);
  }
  rocksdb::IOStatus GetChildren(const std::string& name, const rocksdb::IOOptions& how,
                                std::vector<std::string>* found,
                                rocksdb::IODebugContext* dbg) override {
    const auto s = target()->GetChildren(name, how, found, dbg);
    if (without_logs_)
      std::erase_if(*found, [](const std::string& one) { return one.ends_with(".log"); });
    return s;
  }

 private:
  const bool without_logs_;
};

class with_stand_ins final : public arranged_fs {
 public:
  explicit with_stand_ins(std::map<std::string, std::string> all) : all_(std::move(all)) {}

  rocksdb::IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& how,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* dbg) override {
    const auto at = all_.find(std::filesystem::path(name).filename().string());
    if (at == all_.end()) return target()->NewRandomAccessFile(name, how, file, dbg);
    *file = std::make_unique<bytes_in_memory>(at->second);
    return rocksdb::IOStatus::OK();
  }

 private:
  const std::map<std::string, std::string> all_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> env_without_tables(bool without_logs) {
  return rocksdb::NewCompositeEnv(std::make_shared<without_tables>(without_logs));
}

std::unique_ptr<rocksdb::Env> env_with_stand_ins(std::map<std::string, std::string> stand_ins) {
  return rocksdb::NewCompositeEnv(std::make_shared<with_stand_ins>(std::move(stand_ins)));
}

result<std::vector<live_table>> live_tables(const std::string& folder) {
  const auto env = env_without_tables(true);
  rocksdb::Options how;
  how.env = env.get();
  how.info_log = std::make_shared<silent_log>();
  how.paranoid_checks = false;  // tables that cannot be opened are no reason to refuse
  std::vector<std::string> names;
  if (const auto s = rocksdb::DB::ListColumnFamilies(how, folder, &names); !s.ok())
    return error_of_opening(folder, s);
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::OpenForReadOnly(how, folder, families, &handles, &db);
  if (!s.ok()) return error_of_opening(folder, s);
  const std::unique_ptr<rocksdb::DB> owned(db);
  std::vector<rocksdb::LiveFileMetaData> files;
  db->GetLiveFilesMetaData(&files);
  for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
  std::vector<live_table> tables;
  for (const auto& file : files)
    tables.push_back({std::filesystem::path(file.name).filename().string(), file.column_family_name,
                      file.size, file.smallestkey, file.largestkey});
  std::sort(tables.begin(), tables.end(),
            [](const live_table& a, const live_table& b) { return a.name < b.name; });
  return tables;
}

// A table that deletes the first key of the other one. RocksDB looks for its last bytes where the
// MANIFEST says that the other ends.
result<std::string> stand_in_for(const live_table& table) {
  const std::unique_ptr<rocksdb::Env> memory(rocksdb::NewMemEnv(rocksdb::Env::Default()));
  const std::string path = "/stand-in.sst";
  rocksdb::Options how;
  how.env = memory.get();
  how.compression = rocksdb::kNoCompression;
  std::string bytes;
  {
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), how);
    auto s = writer.Open(path);
    if (s.ok()) s = writer.Delete(table.smallest);
    if (s.ok()) s = writer.Finish();
    if (s.ok()) s = rocksdb::ReadFileToString(memory.get(), path, &bytes);
    if (!s.ok())
      return error(codes::storage_unavailable, table.name + " cannot be left out: " + s.ToString());
  }
  if (bytes.size() > table.bytes)
    return error(codes::storage_corrupt, table.name + " is too small to be left out");
  bytes.insert(bytes.size() - footer_bytes, table.bytes - bytes.size(), '\0');
  return bytes;
}

}  // namespace soma::storage
