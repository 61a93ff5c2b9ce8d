#include "security/identity/server_key.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace soma::security;
namespace fs = std::filesystem;

namespace {
struct folder {
  folder() {
    std::string name = (fs::temp_directory_path() / "server_key_XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~folder() { fs::remove_all(path); }
  std::string path;
};
}  // namespace

TEST_CASE("server key: is made once, for its owner alone, and read ever after") {
  folder f;
  const auto first = load_server_key(f.path + "/data");
  REQUIRE(first.has_value());
  CHECK(first->reveal().size() == 32);
  struct stat info {};
  REQUIRE(stat((f.path + "/data/secret/server.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const auto second = load_server_key(f.path + "/data");
  REQUIRE(second.has_value());
  CHECK(first->reveal() == second->reveal());
  CHECK(std::distance(fs::directory_iterator(f.path + "/data/secret"), {}) == 1);
}

TEST_CASE("server key: a short, open or linked file stops the start") {
  folder f;
  REQUIRE(load_server_key(f.path).has_value());
  const std::string path = f.path + "/secret/server.key";
  fs::permissions(path, fs::perms::owner_all | fs::perms::group_read);
  CHECK(load_server_key(f.path).has_error());
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  CHECK(load_server_key(f.path).has_value());
  fs::rename(path, path + ".real");
  fs::create_symlink(path + ".real", path);
  CHECK(load_server_key(f.path).has_error());
  fs::remove(path);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);  // nobody waits for its other end
  CHECK(load_server_key(f.path).has_error());
  fs::remove(path);
  std::ofstream(path) << "short";
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  CHECK(load_server_key(f.path).has_error());
}
