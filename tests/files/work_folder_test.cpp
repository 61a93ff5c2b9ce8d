#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "core/codes.hpp"
#include "core/uuid.hpp"
#include "files/work_folder.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::files;
namespace fs = std::filesystem;

namespace {

struct world {
  testing::temp_folder folder;
  std::unique_ptr<work_folders> folders;
  const session_key mine{tenant_id("t"), session_id("6f1a0a52-8f3c-4f0e-9d6b-0f3f0d7a1b2c")};
  const std::string secret = folder / "secret";

  world() : world(work_limits{100'000, 50, 50'000, 0}) {}
  explicit world(work_limits limits) {
    std::ofstream(secret) << "secret";
    open(limits);
  }
  void open(work_limits limits) {
    folders.reset();
    auto opened = work_folders::open(folder / "work", limits);
    REQUIRE(opened);
    folders = std::move(*opened);
  }
  fs::path place() const { return *folders->place(mine); }
  std::string text(std::string_view path) const {
    auto piece = folders->read(mine, path, 0, 1000);
    return piece ? piece->bytes : std::string(piece.error().code);
  }
  template <class T>
  static std::string_view code(const result<T>& r) {
    return r ? "" : r.error().code;
  }
  // Every way in, with this path.
  void refused(std::string_view path, std::string_view why) const {
    CAPTURE(path.substr(0, 80));
    CHECK(code(folders->read(mine, path, 0, 10)) == why);
    CHECK(code(folders->open_file(mine, path)) == why);
    CHECK(code(folders->write(mine, path, "x")) == why);
    CHECK(code(folders->append(mine, path, "x")) == why);
    CHECK(code(folders->remove(mine, path)) == why);
    CHECK(code(folders->move(mine, path, "ok")) == why);
    CHECK(code(folders->make_folder(mine, path)) == why);
  }
};

}  // namespace

TEST_CASE("work folder: no name is made that steers a terminal or turns the direction of text") {
  world w;
  for (const std::string path : {"a\u202eb",
                                 "a/\xc2\x9b"
                                 "b/c",
                                 "\u2066", "a\u2028b"}) {
    CAPTURE(path);
    CHECK(w.code(w.folders->write(w.mine, path, "x")) == codes::workdir_path_invalid);
    CHECK(w.code(w.folders->append(w.mine, path, "x")) == codes::workdir_path_invalid);
    CHECK(w.code(w.folders->make_folder(w.mine, path)) == codes::workdir_path_invalid);
    REQUIRE(w.folders->write(w.mine, "plain", "x"));
    CHECK(w.code(w.folders->move(w.mine, "plain", path)) == codes::workdir_path_invalid);
  }
  // What a program has made can be read, renamed and removed.
  std::ofstream(w.place() / "x\u202ey") << "made";
  CHECK(w.text("x\u202ey") == "made");
  CHECK(w.folders->move(w.mine, "x\u202ey", "z"));
  CHECK(w.text("z") == "made");
}

TEST_CASE("work folder: what is written is read, listed, moved and removed") {
  world w;
  REQUIRE(w.folders->write(w.mine, "a/b/c.txt", "hello"));
  REQUIRE(w.folders->append(w.mine, "a/b/c.txt", " you"));
  REQUIRE(w.folders->append(w.mine, "new.txt", "fresh"));
  CHECK(w.text("a/b/c.txt") == "hello you");
  auto piece = w.folders->read(w.mine, "a/b/c.txt", 6, 2);
  REQUIRE(piece);
  CHECK(piece->bytes == "yo");
  CHECK(piece->size_bytes == 9);
  auto listed = w.folders->list(w.mine, "", 10);
  REQUIRE(listed);
  REQUIRE(listed->entries.size() == 2);
  CHECK(listed->entries[0].name == "a");
  CHECK(listed->entries[0].kind == work_kind::folder);
  CHECK(listed->entries[1].size_bytes == 5);
  CHECK_FALSE(w.folders->list(w.mine, "", 1)->complete);
  REQUIRE(w.folders->move(w.mine, "a/b", "moved/to"));
  CHECK(w.text("moved/to/c.txt") == "hello you");
  CHECK(w.code(w.folders->move(w.mine, "new.txt", "moved/to/c.txt")) == codes::workdir_exists);
  CHECK(w.code(w.folders->move(w.mine, "moved", "moved/to/x")) == codes::workdir_path_invalid);
  CHECK(w.code(w.folders->move(w.mine, "nothing", "x")) == codes::workdir_not_found);
  REQUIRE(w.folders->remove(w.mine, "moved"));
  CHECK(w.text("moved/to/c.txt") == codes::workdir_not_found);
  CHECK(w.code(w.folders->remove(w.mine, "moved")) == codes::workdir_not_found);
  CHECK(w.code(w.folders->write(w.mine, "new.txt/x", "y")) == codes::workdir_wrong_kind);
  CHECK(w.code(w.folders->write(w.mine, "a", "y")) == codes::workdir_wrong_kind);
  CHECK(w.text("a") == codes::workdir_wrong_kind);
}

TEST_CASE("work folder: sessions and tenants do not see each other") {
  world w;
  REQUIRE(w.folders->write(w.mine, "f", "mine"));
  const session_key shared{w.mine.tenant, {}}, foreign{tenant_id("t2"), w.mine.session},
      odd{tenant_id("../t"), w.mine.session}, dots{tenant_id(".."), session_id("..")};
  for (const auto& other : {shared, foreign, odd, dots}) {
    CHECK(w.code(w.folders->read(other, "f", 0, 1)) == codes::workdir_not_found);
    REQUIRE(w.folders->write(other, "f", "theirs"));
  }
  CHECK(w.text("f") == "mine");
  auto sessions = w.folders->sessions();
  std::sort(sessions.begin(), sessions.end());
  CHECK(sessions == std::vector<session_key>{odd, w.mine, foreign});
  for (const auto& entry : fs::recursive_directory_iterator(w.folder.path()))
    if (entry.is_regular_file() && entry.path() != w.secret)
      CHECK(entry.path().string().starts_with(w.folder / "work/"));
  REQUIRE(w.folders->remove_all(w.mine));
  CHECK(w.text("f") == codes::workdir_not_found);
  CHECK(w.folders->read(shared, "f", 0, 1));
  REQUIRE(w.folders->remove_all(w.mine));
}

TEST_CASE("work folder: paths that climb, start at the root or are no names are refused") {
  world w;
  REQUIRE(w.folders->write(w.mine, "d/f", "x"));
  using namespace std::string_literals;
  for (const auto& path :
       {"../secret"s, "d/../../secret"s, "d/.."s, "."s, ".."s, "./d/f"s, "d/./f"s, "/etc/passwd"s,
        w.secret, "d//f"s, "d/"s, "\0"s, "d/f\0"s, "a\nb"s, "\xff"s, "\xc0\xae\xc0\xae/secret"s,
        std::string(256, 'n'), std::string(2000, 'n')})
    w.refused(path, codes::workdir_path_invalid);
  std::string deep = "d";
  for (int i = 0; i < 40; ++i) deep += "/d";
  w.refused(deep, codes::workdir_path_invalid);
  CHECK(w.code(w.folders->write(w.mine, "", "x")) == codes::workdir_path_invalid);
  CHECK(w.code(w.folders->remove(w.mine, "")) == codes::workdir_path_invalid);
  CHECK(w.code(w.folders->move(w.mine, "d", "")) == codes::workdir_path_invalid);
  CHECK(w.code(w.folders->list(w.mine, "..", 10)) == codes::workdir_path_invalid);
  CHECK(w.text("d/f") == "x");
  CHECK(w.folders->write(w.mine, "...", "dots are a name"));
  CHECK(w.folders->write(w.mine, "%2e%2e", "not decoded"));
}

TEST_CASE("work folder: symbolic links are neither read nor written through nor walked") {
  world w;
  const auto place = w.place();
  fs::create_symlink(w.secret, place / "file");
  fs::create_directory_symlink(w.folder.path(), place / "dir");
  fs::create_symlink("/proc/self/root", place / "root");
  REQUIRE(w.folders->write(w.mine, "real", "x"));
  fs::create_symlink("real", place / "inside");
  CHECK(w.text("file") == codes::workdir_path_invalid);
  CHECK(w.text("inside") == codes::workdir_path_invalid);
  REQUIRE(w.folders->write(w.mine, "d/f", "x"));
  fs::create_directory_symlink("d", place / "beside");
  CHECK(w.text("beside/f") == codes::workdir_path_invalid);
  CHECK_FALSE(w.folders->list(w.mine, "beside", 10));
  for (const auto* path : {"dir/secret", "root/etc/passwd"}) {
    const auto why = w.code(w.folders->read(w.mine, path, 0, 10));
    CHECK((why == codes::workdir_path_invalid || why == codes::workdir_wrong_kind));
    CHECK_FALSE(w.folders->write(w.mine, path, "x"));
    CHECK_FALSE(w.folders->remove(w.mine, path));
    CHECK_FALSE(w.folders->move(w.mine, path, "stolen"));
    CHECK_FALSE(w.folders->move(w.mine, "real", path));
  }
  CHECK_FALSE(w.folders->list(w.mine, "dir", 10));
  // Writing replaces the link, and leaves what it points at.
  REQUIRE(w.folders->write(w.mine, "file", "mine"));
  CHECK(w.text("file") == "mine");
  CHECK_FALSE(fs::is_symlink(place / "file"));
  REQUIRE(w.folders->remove(w.mine, "dir"));
  REQUIRE(w.folders->remove(w.mine, "root"));
  std::ifstream in(w.secret);
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == "secret");
}

TEST_CASE("work folder: a folder that is swapped for a link all the time lets nothing out") {
  world w(work_limits{100'000'000, 50, 50'000, 0});
  const auto place = w.place();
  fs::create_directory(w.folder / "outside");
  std::ofstream(w.folder / "outside/f") << "secret";
  REQUIRE(w.folders->write(w.mine, "d/f", "mine"));
  fs::create_directory_symlink(w.folder / "outside", place / "link");
  std::atomic<bool> ending{false};
  std::thread swapper([&] {
    while (!ending)
      ::renameat2(AT_FDCWD, (place / "d").c_str(), AT_FDCWD, (place / "link").c_str(),
                  RENAME_EXCHANGE);
  });
  int read = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    auto piece = w.folders->read(w.mine, "d/f", 0, 100);
    if (piece) {
      ++read;
      REQUIRE(piece->bytes != "secret");
    } else {
      ++refused;
    }
    if (i % 10 == 0) (void)w.folders->write(w.mine, "d/f", "mine");
    if (i % 50 == 0) (void)w.folders->remove(w.mine, "d/none");
  }
  ending = true;
  swapper.join();
  CHECK(read > 0);
  CHECK(refused > 0);  // else nothing was swapped
  std::ifstream in(w.folder / "outside/f");
  CHECK(std::string(std::istreambuf_iterator<char>(in), {}) == "secret");
  CHECK(std::distance(fs::directory_iterator(w.folder / "outside"), {}) == 1);
}

TEST_CASE("work folder: pipes, sockets and devices are listed and removed, never opened") {
  world w;
  const auto place = w.place();
  REQUIRE(::mkfifo((place / "pipe").c_str(), 0600) == 0);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = (place / "socket").string();
  REQUIRE(path.size() < sizeof address.sun_path);
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  ::close(listener);
  std::vector<std::string> names{"pipe", "socket"};
  if (::mknod((place / "device").c_str(), S_IFCHR | 0600, makedev(1, 5)) == 0)
    names.push_back("device");
  for (const auto& name : names) {
    CAPTURE(name);
    CHECK(w.text(name) == codes::workdir_wrong_kind);
    CHECK(w.code(w.folders->append(w.mine, name, "x")) == codes::workdir_wrong_kind);
  }
  auto listed = w.folders->list(w.mine, "", 10);
  REQUIRE(listed);
  for (const auto& entry : listed->entries) CHECK(entry.kind == work_kind::other);
  REQUIRE(w.folders->write(w.mine, "pipe", "now a file"));
  CHECK(w.text("pipe") == "now a file");
  for (const auto& name : names) CHECK(w.folders->remove(w.mine, name));
}

TEST_CASE("work folder: its quotas count what is there, whoever put it there") {
  world w;
  CHECK(w.code(w.folders->write(w.mine, "f", std::string(50'001, 'x'))) == codes::workdir_full);
  REQUIRE(w.folders->write(w.mine, "f", std::string(50'000, 'x')));
  std::ofstream(w.place() / "by a tool") << std::string(40'000, 'x');
  CHECK(w.code(w.folders->write(w.mine, "g", std::string(10'001, 'x'))) == codes::workdir_full);
  CHECK(w.code(w.folders->append(w.mine, "by a tool", std::string(10'001, 'x'))) ==
        codes::workdir_full);
  CHECK(w.folders->write(w.mine, "f", std::string(49'000, 'y')));  // in place of what is there
  REQUIRE(w.folders->remove(w.mine, "f"));
  REQUIRE(w.folders->write(w.mine, "g", std::string(10'001, 'x')));
  for (int i = 0; i < 48; ++i) REQUIRE(w.folders->write(w.mine, "n" + std::to_string(i), ""));
  CHECK(w.code(w.folders->write(w.mine, "one more", "")) == codes::workdir_full);
  CHECK(w.code(w.folders->make_folder(w.mine, "folder")) == codes::workdir_full);
  CHECK(w.folders->write(w.mine, "n1", "instead"));
  // A folder that hides what is in it hides nothing, and one too deep to be counted is full.
  world deep;
  auto at = deep.place();
  fs::create_directory(at / "closed");
  std::ofstream(at / "closed/big") << std::string(90'000, 'x');
  fs::permissions(at / "closed", fs::perms::none);
  CHECK(deep.code(deep.folders->write(deep.mine, "f", std::string(20'000, 'x'))) ==
        codes::workdir_full);
  REQUIRE(deep.folders->remove(deep.mine, "closed"));
  for (int i = 0; i < 80; ++i) fs::create_directory(at /= "d");
  CHECK(deep.code(deep.folders->write(deep.mine, "f", "x")) == codes::workdir_full);
  CHECK(deep.folders->used(deep.mine)->bytes >= deep.folders->limits().bytes_max);
  REQUIRE(deep.folders->remove(deep.mine, "d"));
  CHECK(deep.folders->write(deep.mine, "f", "x"));
}

TEST_CASE("work folder: a tree too deep for any path is removed, and what a crash left goes") {
  world w;
  const int begin = ::open(w.place().c_str(), O_RDONLY | O_DIRECTORY);
  int at = ::dup(begin);
  for (int i = 0; i < 3000; ++i) {
    REQUIRE(::mkdirat(at, "d", 0700) == 0);
    const int next = ::openat(at, "d", O_RDONLY | O_DIRECTORY);
    ::close(at);
    at = next;
  }
  ::close(at);
  ::close(begin);
  REQUIRE(w.folders->remove(w.mine, "d"));
  CHECK(w.folders->list(w.mine, "", 10)->entries.empty());
  const fs::path incoming = w.folder / "work/.incoming";
  CHECK(fs::is_empty(incoming));
  {
    auto spool = w.folders->begin();
    REQUIRE(spool);
    REQUIRE(w.folders->add(*spool, "x"));
    CHECK_FALSE(fs::is_empty(incoming));
  }
  CHECK(fs::is_empty(incoming));
  std::ofstream(incoming / "half") << "written";
  fs::create_directories(incoming / "gone-x/a/b");
  w.open({});
  CHECK(fs::is_empty(incoming));
}

TEST_CASE(
    "work folder: all of a tenant's together have a bound, those of a deleted session count no "
    "more") {
  const work_limits limits{100'000, 50, 50'000, 0, 60'000};
  world w(limits);
  const session_key second{w.mine.tenant, session_id(new_uuid())};
  REQUIRE(w.folders->write(w.mine, "f", std::string(40'000, 'x')));
  w.open(limits);  // which finds it on the disk
  CHECK(w.code(w.folders->write(second, "f", std::string(30'000, 'x'))) == codes::workdir_full);
  REQUIRE(w.folders->write(second, "f", std::string(20'000, 'x')));
  CHECK(w.code(w.folders->tenant_has_room(second, 1)) == codes::workdir_full);
  const session_key other{tenant_id("another"), session_id(new_uuid())};
  REQUIRE(w.folders->write(other, "f", std::string(40'000, 'x')));
  REQUIRE(w.folders->remove_all(w.mine));
  REQUIRE(w.folders->write(second, "g", std::string(30'000, 'x')));
}
