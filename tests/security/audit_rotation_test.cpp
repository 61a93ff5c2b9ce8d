#include "security/audit/audit_log.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::security;
namespace fs = std::filesystem;

namespace {

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("audit: a full file is moved on, the oldest goes, and no record is cut or lost") {
  const testing::temp_folder folder;
  const auto path = folder / "audit.ndjson";
  {
    auto log = open_audit_file(path, {1000, 3, 0}).value();
    for (int n = 0; n < 100; ++n)
      log->write("{\"n\":" + std::to_string(1000 + n) + "," + std::string(80, ' ') + "\"x\":1}");
    REQUIRE(log->flush(std::chrono::seconds(20)));
    CHECK(log->lost() == 0);
  }
  std::string all;
  for (const auto* name : {".3", ".2", ".1", ""}) {
    REQUIRE(fs::exists(path + name));
    CHECK(fs::file_size(path + name) <= 1000);
    CHECK((fs::status(path + name).permissions() & fs::perms::others_read) == fs::perms::none);
    all += text_of(path + name);
  }
  CHECK_FALSE(fs::exists(path + ".4"));
  // The newest of them, one after another.
  int next = 1100 - static_cast<int>(std::count(all.begin(), all.end(), '\n'));
  CHECK(next < 1080);
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line); ++next)
    CHECK(line.starts_with("{\"n\":" + std::to_string(next) + ","));
  CHECK(next == 1100);
}

TEST_CASE("audit: below the disk's reserve nothing is written, and records wait") {
  const testing::temp_folder folder;
  const auto path = folder / "audit.ndjson";
  auto log = open_audit_file(path, {0, 3, UINT64_MAX / 2}).value();
  log->write("{}");
  CHECK_FALSE(log->flush(std::chrono::milliseconds(50)));
  CHECK(log->failing());
  CHECK(text_of(path).empty());
}

TEST_CASE("audit: a pipe that nobody reads stops the start, one that is read gets the records") {
  const testing::temp_folder folder;
  const auto path = folder / "audit.ndjson";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const auto refused = open_audit_file(path, {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().detail.find("a pipe that nobody reads") != std::string::npos);

  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  auto log = open_audit_file(path, {}).value();
  log->write("{}");
  REQUIRE(log->flush(std::chrono::seconds(20)));
  char line[16];
  CHECK(::read(reader, line, sizeof line) == 3);
  ::close(reader);
}
