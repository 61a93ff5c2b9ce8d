// soma backup: the store, the attachments and the server's key, checked byte by byte.
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "cli/commands.hpp"
#include "core/codes.hpp"
#include "files/attachment_audit.hpp"
#include "storage/store_repair.hpp"

namespace soma {
namespace {

int refuse(const error& why) {
  std::fprintf(stderr, "soma: %s\n", why.detail.c_str());
  return 1;
}

// The folder of the data folder that `folder` would be made in; empty: it lies beside it. What is
// copied into itself has no end. Asked of the disk, since links and mounts lead anywhere.
std::string lies_in(const std::string& data_dir, const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code ec;
  for (auto at = fs::weakly_canonical(fs::absolute(folder, ec), ec); !ec; at = at.parent_path()) {
    for (const char* part : {"", "/store", "/attachments", "/secret", "/work"}) {
      std::error_code none;
      if (fs::equivalent(at, data_dir + part, none)) return data_dir + part;
    }
    if (at == at.root_path() || at.empty()) break;
  }
  return {};
}

// The copy of a backup, of which half is worse than none.
class unfinished_copy {
 public:
  explicit unfinished_copy(std::string folder) : folder_(std::move(folder)) {}
  ~unfinished_copy() {
    std::error_code ec;
    if (!finished_) std::filesystem::remove_all(folder_, ec);
  }
  unfinished_copy(const unfinished_copy&) = delete;
  void finish() { finished_ = true; }

 private:
  const std::string folder_;
  bool finished_ = false;
};

// Files of attachments never change, so that links do where the file system is the same.
std::error_code copy_attachments(const std::filesystem::path& from,
                                 const std::filesystem::path& to) {
  namespace fs = std::filesystem;
  std::error_code ec;
  if (!fs::exists(from, ec)) return ec;
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::create_hard_links, ec);
  if (ec) {
    ec.clear();
    fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::skip_existing, ec);
  }
  return ec;
}

// The server's key goes along: without it API keys and cookies are void.
result<void> copy_beside_the_store(const std::string& from, const std::string& to) {
  const auto secret = std::filesystem::path(from) / "secret";
  std::error_code ec;
  if (std::filesystem::exists(secret, ec))
    std::filesystem::copy(secret, std::filesystem::path(to) / "secret",
                          std::filesystem::copy_options::recursive, ec);
  if (ec) return error(codes::storage_unavailable, "cannot copy the server's key: " + ec.message());
  ec = copy_attachments(from + "/attachments", to + "/attachments");
  if (ec) return error(codes::storage_unavailable, "cannot copy attachments: " + ec.message());
  ::sync();
  return {};
}

// Every byte of the copy is read. What is damaged there is damaged in the data folder, too.
result<void> check_copy(const backup_options& wanted, const std::string& data_dir,
                        const std::vector<files::kept_bytes>& kept) {
  if (auto good = storage::verify_store(wanted.folder); !good) {
    auto why = good.error();
    if (const auto at = why.detail.find(wanted.folder); at != std::string::npos)
      why.detail.replace(at, wanted.folder.size(), data_dir);
    why.detail += "; soma repair mends a store";
    return why;
  }
  const auto damaged = files::find_damaged_bytes(wanted.folder + "/attachments", kept);
  for (const auto& one : damaged) {
    std::fprintf(stderr, "soma: attachment %s, %s: %s\n", one.what.named.c_str(),
                 one.what.sha256.c_str(), one.why.c_str());
    if (wanted.leave_out_damaged) ::unlink(one.path.c_str());
  }
  if (damaged.empty() || wanted.leave_out_damaged) return {};
  return error(codes::storage_corrupt,
               std::to_string(damaged.size()) +
                   " files of attachments are damaged or missing. Uploading the same bytes again "
                   "mends them; --leave-out-damaged copies all else");
}

}  // namespace

int back_up(const config_sources& from, const backup_options& wanted) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  storage::store_options options;
  options.data_dir = settings->text("storage.data_dir");
  std::error_code ec;
  if (!std::filesystem::exists(options.data_dir, ec))
    return refuse({codes::storage_unavailable, "there is no folder " + options.data_dir});
  if (const auto around = lies_in(options.data_dir, wanted.folder); !around.empty())
    return refuse({codes::storage_unavailable, wanted.folder + " is in " + around +
                                                   ", which is what is copied: name a folder " +
                                                   "beside the data folder"});
  std::vector<files::kept_bytes> kept;
  {
    auto log = storage::open_rocksdb_event_log(options);
    if (!log) return refuse(log.error());
    auto all = files::bytes_of_attachments(**log);
    if (!all) return refuse(all.error());
    kept = std::move(*all);
    if (auto copied = (*log)->checkpoint(wanted.folder); !copied) return refuse(copied.error());
  }
  unfinished_copy copy(wanted.folder);
  if (auto done = copy_beside_the_store(options.data_dir, wanted.folder); !done)
    return refuse(done.error());
  if (auto good = check_copy(wanted, options.data_dir, kept); !good) return refuse(good.error());
  copy.finish();
  std::printf("Copied to %s, and checked: the store, and the files of %zu attachments.\n",
              wanted.folder.c_str(), kept.size());
  return 0;
}

}  // namespace soma
