#include "backup/backup.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <thread>

#include "backup/backup_keeper.hpp"
#include "backup/repository.hpp"
#include "backup/restore.hpp"
#include "core/codes.hpp"
#include "core/event.hpp"
#include "files/attachment_store.hpp"
#include "support/held_log.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::backup;
namespace fs = std::filesystem;

namespace {

template <class T>
std::string_view code_of(const result<T>& r) {
  return r ? std::string_view() : r.error().code;
}

void put(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// A data folder with a store, an attachment, a work folder, an audit and a key.
class data_folder {
 public:
  data_folder() {
    open();
    files::store_options options;
    options.folder = path() + "/attachments";
    options.types = {"*/*"};
    attachments_ = std::move(*files::attachment_store::open(*log_, options, nullptr));
    put(path() + "/secret/server.key", std::string(32, 'k'));
    put(path() + "/work/t/s/notes.txt", "some notes");
    put(path() + "/work/t/s/run.sh", "echo");
    chmod((path() + "/work/t/s/run.sh").c_str(), 0755);
    fs::create_directories(path() + "/work/t/empty");
    fs::create_symlink("notes.txt", path() + "/work/t/s/link");
    put(path() + "/work/.incoming/half", "no");
    put(path() + "/audit/1.ndjson", "{\"n\":1}\n");
    append(1);
  }

  std::string path() const { return folder_ / "data"; }
  std::string backups() const { return folder_ / "backups"; }
  std::string at(const std::string& name) const { return folder_ / name; }
  storage::event_log& log() { return *log_; }
  backup_sources sources() { return {*log_, path()}; }
  backup_options options() const {
    backup_options wanted;
    wanted.folder = backups();
    return wanted;
  }
  restore_options from() const {
    restore_options wanted;
    wanted.folder = backups();
    return wanted;
  }

  void append(std::uint64_t seq) {
    storage::append_op op;
    op.key = key;
    op.info = storage::session_info{};
    op.expected_seq = seq - 1;
    event e;
    e.meta.key = key;
    e.meta.id = {log_->epoch(), seq};
    if (seq == 1)
      e.body = body::session_open{};
    else
      e.body = body::message_user{std::to_string(seq), std::to_string(seq), "text", {}};
    op.events.push_back({seq, e.type(), encode(e)});
    REQUIRE(log_->commit({&op, 1}).front());
  }

  std::string attach(const std::string& bytes) {
    auto file = attachments_->begin(key.tenant);
    REQUIRE(file);
    REQUIRE(attachments_->append(*file, bytes));
    auto made = attachments_->add(std::move(*file), {key.tenant, "u", "a.txt", "text/plain"});
    REQUIRE(made);
    return made->sha256;
  }

  const session_key key{tenant_id("t"), session_id("s")};

 private:
  void open() {
    storage::store_options options;
    options.data_dir = path();
    auto opened = storage::open_rocksdb_event_log(options);
    REQUIRE(opened);
    log_ = std::move(*opened);
  }

  testing::temp_folder folder_;
  std::unique_ptr<storage::event_log> log_;
  std::unique_ptr<files::attachment_store> attachments_;
};

std::set<std::string> names_below(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& one : fs::recursive_directory_iterator(folder))
    names.insert(fs::relative(one.path(), folder).string());
  return names;
}

}  // namespace

TEST_CASE("backup: what comes back is what was there, and a store that opens") {
  data_folder data;
  data.append(2);
  const auto sha256 = data.attach("bytes of an attachment");
  const auto made = make_backup(data.sources(), data.options());
  REQUIRE(made);
  data.append(3);  // after it
  REQUIRE(restore_backup(data.from(), data.at("restored")));
  const fs::path back = data.at("restored");
  CHECK(text_of(back / "work/t/s/notes.txt") == "some notes");
  CHECK(fs::read_symlink(back / "work/t/s/link") == "notes.txt");
  CHECK(fs::is_directory(back / "work/t/empty"));
  CHECK(!fs::exists(back / "work/.incoming/half"));
  CHECK((fs::status(back / "work/t/s/run.sh").permissions() & fs::perms::owner_exec) !=
        fs::perms::none);
  CHECK(text_of(back / "audit/1.ndjson") == "{\"n\":1}\n");
  CHECK(text_of(back / "secret/server.key") == std::string(32, 'k'));
  CHECK(text_of(files::content_path((back / "attachments").string(), sha256)) ==
        "bytes of an attachment");
  storage::store_options options;
  options.data_dir = back.string();
  auto log = storage::open_rocksdb_event_log(options);
  REQUIRE(log);
  const auto page = (*log)->read(data.key, {});
  REQUIRE(page);
  CHECK(page->events.size() == 2);
  CHECK((*log)->epoch() > data.log().epoch());
}

TEST_CASE("backup: the next one writes what is new, and older ones go with what they alone had") {
  data_folder data;
  data.attach(std::string(300'000, 'a'));
  const auto first = make_backup(data.sources(), data.options());
  REQUIRE(first);
  CHECK(first->info.new_bytes > 300'000);
  data.append(2);
  data.attach("little");
  auto wanted = data.options();
  wanted.keep = 1;
  const auto second = make_backup(data.sources(), wanted);
  REQUIRE(second);
  CHECK(second->info.new_bytes < 200'000);
  CHECK(second->info.bytes > 300'000);
  CHECK(second->forgotten == 1);
  const auto known = list_backups(data.backups());
  REQUIRE(known);
  REQUIRE(known->all.size() == 1);
  CHECK(known->all[0].id == second->info.id);
  REQUIRE(check_backup(data.from()));
  // Nothing is left that the one which stays does not have.
  std::set<std::string> wanted_contents, there;
  REQUIRE(read_manifest(manifest_path(data.backups(), second->info.id),
                        [&](const entry& one) -> result<void> {
                          if (one.what == entry::kind::file) wanted_contents.insert(one.sha256);
                          return {};
                        }));
  for (const auto& name : names_below(data.backups() + "/contents"))
    if (const auto last = fs::path(name).filename().string(); files::is_sha256(last))
      there.insert(last);
  CHECK(there == wanted_contents);
}

TEST_CASE("restore: a content that is damaged or gone is named, and nothing is made") {
  data_folder data;
  data.attach("bytes of an attachment");
  REQUIRE(make_backup(data.sources(), data.options()));
  std::vector<fs::path> contents;
  for (const auto& one : fs::recursive_directory_iterator(data.backups() + "/contents"))
    if (one.is_regular_file() && files::is_sha256(one.path().filename().string()))
      contents.push_back(one.path());
  REQUIRE(contents.size() > 5);
  const auto before = names_below(fs::path(data.path()).parent_path());
  for (const auto& path : contents) {
    const auto whole = text_of(path);
    if (whole.empty()) continue;
    auto damaged = whole;
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
    put(path, damaged);
    CHECK(code_of(check_backup(data.from())) == codes::storage_corrupt);
    const auto refused = restore_backup(data.from(), data.at("restored"));
    CHECK(code_of(refused) == codes::storage_corrupt);
    fs::remove(path);
    CHECK(code_of(restore_backup(data.from(), data.at("restored"))) == codes::storage_corrupt);
    put(path, whole);
    CHECK(names_below(fs::path(data.path()).parent_path()) == before);
  }
  REQUIRE(restore_backup(data.from(), data.at("restored")));
  CHECK(code_of(restore_backup(data.from(), data.at("restored"))) == codes::storage_unavailable);
}

TEST_CASE("backup: attachments that are damaged end it, unless they are left out") {
  data_folder data;
  const auto bad = data.attach("will be damaged"), good = data.attach("stays good");
  put(files::content_path(data.path() + "/attachments", bad), "was damaged!!!!");
  std::vector<left_out> damaged;
  CHECK(code_of(make_backup(data.sources(), data.options(), &damaged)) == codes::storage_corrupt);
  REQUIRE(damaged.size() == 1);
  CHECK(damaged[0].path.find(bad) != std::string::npos);
  CHECK(list_backups(data.backups())->all.empty());
  auto wanted = data.options();
  wanted.leave_out_damaged = true;
  REQUIRE(make_backup(data.sources(), wanted));
  REQUIRE(restore_backup(data.from(), data.at("restored")));
  CHECK(fs::exists(files::content_path(data.at("restored/attachments"), good)));
  CHECK(!fs::exists(files::content_path(data.at("restored/attachments"), bad)));
}

TEST_CASE("backup: what a program did to its own files ends no backup, and is named") {
  data_folder data;
  const fs::path work = data.path() + "/work/t/s";
  put(work / "closed", "its maker closed it");
  fs::permissions(work / "closed", fs::perms::none);
  put(work / (std::string(100, '\x01') + "\"\\"), "a strange name");
  fs::create_directory(work / "closed folder");
  put(work / "closed folder/inner", "inner");
  fs::permissions(work / "closed folder", fs::perms::none);
  mkfifo((work / "pipe").c_str(), 0600);
  auto deep = work;
  for (int n = 0; n < 70; ++n) deep /= std::string(40, 'd');
  fs::create_directories(deep);
  const auto made = make_backup(data.sources(), data.options());
  REQUIRE(made);
  REQUIRE(made->without.size() == 1);
  CHECK(made->without[0].why == "it lies too deep");
  REQUIRE(restore_backup(data.from(), data.at("restored")));
  const fs::path back = data.at("restored/work/t/s");
  fs::permissions(back / "closed", fs::perms::owner_read);
  CHECK(text_of(back / "closed") == "its maker closed it");
  CHECK(text_of(back / (std::string(100, '\x01') + "\"\\")) == "a strange name");
  CHECK(text_of(back / "closed folder/inner") == "inner");
}

namespace {

// Deletes an attachment at the moment of the checkpoint.
class deleting_log final : public storage::held_log {
 public:
  deleting_log(storage::event_log& inner, std::function<void()> then)
      : held_log(inner), then_(std::move(then)) {}
  result<void> checkpoint(const std::string& folder) const override {
    auto taken = held_log::checkpoint(folder);
    then_();
    return taken;
  }

 private:
  const std::function<void()> then_;
};

}  // namespace

TEST_CASE("backup: an attachment that is deleted beside the checkpoint is in it") {
  data_folder data;
  const auto sha256 = data.attach("soon gone");
  const auto path = files::content_path(data.path() + "/attachments", sha256);
  deleting_log log(data.log(), [&] { fs::remove(path); });
  REQUIRE(make_backup({log, data.path()}, data.options()));
  REQUIRE(restore_backup(data.from(), data.at("restored")));
  CHECK(text_of(files::content_path(data.at("restored/attachments"), sha256)) == "soon gone");
}

TEST_CASE(
    "backup: the next one mends a content that was damaged and taken away; keys are checked, too") {
  data_folder data;
  REQUIRE(make_backup(data.sources(), data.options()));
  const auto id = list_backups(data.backups())->all.back().id;
  const auto key = data.backups() + "/keys/" + id + "/server.key";
  const auto whole = text_of(key);
  put(key, std::string(32, 'x'));
  CHECK(code_of(check_backup(data.from())) == codes::storage_corrupt);
  CHECK(code_of(restore_backup(data.from(), data.at("restored"))) == codes::storage_corrupt);
  fs::remove(key);
  CHECK(code_of(check_backup(data.from())) == codes::storage_corrupt);
  put(key, whole);
  REQUIRE(check_backup(data.from()));
}

TEST_CASE("backup: a making that was interrupted is no folder of others, and ids only grow") {
  data_folder data;
  fs::create_directories(data.backups() + "/backups");
  const auto first = make_backup(data.sources(), data.options());
  REQUIRE(first);
  // A clock that stepped back an hour: the newest is of the future.
  const auto ahead = backup_id_of(first->info.made_at_ms + 3'600'000);
  auto manifest = manifest_writer::begin(data.at("ahead"), [&] {
    backup_info head = first->info;
    head.id = ahead;
    head.made_at_ms += 3'600'000;
    return head;
  }());
  REQUIRE(manifest);
  REQUIRE(manifest->finish(0));
  fs::rename(data.at("ahead"), manifest_path(data.backups(), ahead));
  auto wanted = data.options();
  wanted.keep = 1;
  const auto second = make_backup(data.sources(), wanted);
  REQUIRE(second);
  CHECK(second->info.id > ahead);
  CHECK(list_backups(data.backups())->all.size() == 1);
  REQUIRE(check_backup(data.from()));
}

TEST_CASE("backup: one that is stopped leaves none, and the data folder as it was") {
  data_folder data;
  data.attach(std::string(3'000'000, 'a'));
  auto wanted = data.options();
  int asked = 0;
  wanted.goes_on = [&](const progress&) { return ++asked < 4; };
  CHECK(code_of(make_backup(data.sources(), wanted)) == codes::backup_stopped);
  CHECK(list_backups(data.backups())->all.empty());
  CHECK(!fs::exists(data.path() + "/backup-under-way"));
  REQUIRE(make_backup(data.sources(), data.options()));
}

TEST_CASE(
    "backup: two at once are one; into the data folder is none; nor into a folder of others") {
  data_folder data;
  auto open = repository::open(data.backups(), repository::use::writes);
  REQUIRE(open);
  CHECK(code_of(make_backup(data.sources(), data.options())) == codes::backup_under_way);
  for (const char* inside : {"/x", "", "/work/t/s/x", "/attachments"}) {
    auto wanted = data.options();
    wanted.folder = data.path() + inside;
    CHECK(code_of(make_backup(data.sources(), wanted)) == codes::storage_unavailable);
  }
  auto wanted = data.options();
  wanted.folder = data.at("others");
  put(wanted.folder + "/file", "of somebody");
  CHECK(code_of(make_backup(data.sources(), wanted)) == codes::storage_unavailable);
  CHECK(names_below(wanted.folder).size() == 1);
}

TEST_CASE("backup: a running node makes one at a time, and says how it went") {
  data_folder data;
  data.attach(std::string(1'000'000, 'a'));
  keeper_options options;
  options.folder = data.backups();
  backup_keeper keeper(data.sources(), options);
  CHECK(keeper.now().what == keeper_status::state::none);
  REQUIRE(keeper.begin());
  while (keeper.now().what == keeper_status::state::running) std::this_thread::yield();
  CHECK(keeper.now().what == keeper_status::state::done);
  CHECK(keeper.list()->all.size() == 1);
  bool inner_refused = false;
  REQUIRE(keeper.make(
      data.at("elsewhere"), 0,
      [&](const progress&) {
        inner_refused = code_of(keeper.begin()) == codes::backup_under_way;
        return true;
      },
      nullptr));
  CHECK(inner_refused);
  keeper.stop();
  CHECK(!keeper.begin());
  backup_keeper none(data.sources(), {});
  CHECK(code_of(none.begin()) == codes::backup_not_set_up);
  CHECK(code_of(none.list()) == codes::backup_not_set_up);
}
