#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>
#include <locale.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "files/folder_zip.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::files;

namespace {

std::map<std::string, std::string> unpacked(const std::string& bytes) {
  std::map<std::string, std::string> found;
  const auto before = ::uselocale(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr));
  auto* reader = archive_read_new();
  archive_read_support_format_zip(reader);
  REQUIRE(archive_read_open_memory(reader, bytes.data(), bytes.size()) == ARCHIVE_OK);
  for (archive_entry* entry = nullptr; archive_read_next_header(reader, &entry) == ARCHIVE_OK;) {
    auto& text = found[archive_entry_pathname_utf8(entry)];
    char piece[4096];
    for (la_ssize_t got = 0; (got = archive_read_data(reader, piece, sizeof piece)) > 0;)
      text.append(piece, static_cast<std::size_t>(got));
  }
  archive_read_free(reader);
  ::freelocale(::uselocale(before));
  return found;
}

std::string zipped(work_folders& folders, const session_key& whose) {
  auto handle = folders.open_folder(whose, "");
  REQUIRE(handle);
  folder_zip zip(std::move(*handle));
  std::string bytes;
  for (;;) {
    auto piece = zip.next();
    REQUIRE(piece);
    if (piece->empty()) return bytes;
    CHECK(piece->size() < 512 * 1024);
    bytes += *piece;
  }
}

}  // namespace

TEST_CASE("folder as zip: all files and folders are in it, and no link, pipe or more") {
  testing::temp_folder folder;
  auto folders = work_folders::open(folder / "work", {});
  REQUIRE(folders);
  const session_key mine{tenant_id("t"), session_id("s")};
  const std::string large(1'000'000, 'x');
  REQUIRE((*folders)->write(mine, "d/caf\xc3\xa9.txt", "text"));
  REQUIRE((*folders)->write(mine, "large", large));
  REQUIRE((*folders)->write(mine, "nothing", ""));
  REQUIRE((*folders)->make_folder(mine, "empty"));
  const std::filesystem::path place = *(*folders)->place(mine);
  std::ofstream(folder / "secret") << "secret";
  std::filesystem::create_symlink(folder / "secret", place / "link");
  std::filesystem::create_directory_symlink(folder.path(), place / "out");
  REQUIRE(::mkfifo((place / "pipe").c_str(), 0600) == 0);

  const std::map<std::string, std::string> expected{
      {"d/", ""}, {"d/caf\xc3\xa9.txt", "text"}, {"empty/", ""}, {"large", large}, {"nothing", ""}};
  CHECK(unpacked(zipped(**folders, mine)) == expected);
}

TEST_CASE("folder as zip: what programs called their files is told in names that unpackers take") {
  testing::temp_folder folder;
  auto folders = work_folders::open(folder / "work", {});
  REQUIRE(folders);
  const session_key mine{tenant_id("t"), session_id("s")};
  const std::filesystem::path place = *(*folders)->place(mine);
  const auto put = [&](const std::string& name) { std::ofstream(place / name) << name; };
  for (const char* name :
       {"bad\xff", "bad\xfe", "bad_", "line\nbreak", "..\\up", "\xed\xa0\x80", "e\x1b[2J"})
    put(name);
  std::filesystem::create_directory(place / "d\xff");
  put("d\xff/in\xff");
  const std::map<std::string, std::string> expected{
      {".._up", "..\\up"},        {"___", "\xed\xa0\x80"}, {"bad_", "bad_"},
      {"bad_~2", "bad\xfe"},      {"bad_~3", "bad\xff"},   {"d_/", ""},
      {"d_/in_", "d\xff/in\xff"}, {"e_[2J", "e\x1b[2J"},   {"line_break", "line\nbreak"}};
  CHECK(unpacked(zipped(**folders, mine)) == expected);
}
