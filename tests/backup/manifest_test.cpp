#include "backup/manifest.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/codes.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::backup;

namespace {

const std::string sha256(64, 'a');

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

template <class T>
std::string_view code_of(const result<T>& r) {
  return r ? std::string_view() : r.error().code;
}

backup_info head() {
  backup_info info;
  info.made_at_ms = 1'764'529'200'123;
  info.id = backup_id_of(info.made_at_ms);
  info.version = "0.1.0";
  return info;
}

std::vector<entry> some_entries() {
  entry table;
  table.path = "store/000012.sst";
  table.sha256 = sha256;
  table.size = 12;
  table.mtime_ns = 1'700'000'000'000'000'001;
  entry strange;
  strange.path = "work/t/s/\xff\xfe na\"me\n";
  strange.sha256 = std::string(64, 'b');
  strange.size = UINT32_MAX + std::uint64_t{7};
  strange.mode = 0755;
  entry folder;
  folder.path = "work/t/empty";
  folder.what = entry::kind::folder;
  entry link;
  link.path = "work/t/link";
  link.what = entry::kind::link;
  link.target = "../\xc3\x28";
  return {table, strange, folder, link};
}

void make(const std::string& path) {
  auto manifest = manifest_writer::begin(path, head());
  REQUIRE(manifest);
  for (const auto& one : some_entries()) REQUIRE(manifest->add(one));
  REQUIRE(manifest->finish(5));
}

}  // namespace

TEST_CASE("manifest: what was written is read, names of any bytes among it") {
  const testing::temp_folder folder;
  const auto path = folder / "one.ndjson";
  make(path);
  std::vector<entry> seen;
  const auto info = read_manifest(path, [&](const entry& one) -> result<void> {
    seen.push_back(one);
    return {};
  });
  REQUIRE(info);
  CHECK(info->id == "20251130T190000123Z");
  CHECK(info->made_at_ms == head().made_at_ms);
  CHECK(info->files == 2);
  CHECK(info->bytes == std::uint64_t{12} + UINT32_MAX + 7);
  CHECK(info->new_bytes == 5);
  const auto wanted = some_entries();
  REQUIRE(seen.size() == wanted.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    CHECK(seen[i].path == wanted[i].path);
    CHECK(seen[i].what == wanted[i].what);
    CHECK(seen[i].sha256 == wanted[i].sha256);
    CHECK(seen[i].size == wanted[i].size);
    CHECK(seen[i].mtime_ns == wanted[i].mtime_ns);
    CHECK(seen[i].mode == wanted[i].mode);
    CHECK(seen[i].target == wanted[i].target);
  }
}

TEST_CASE("manifest: one that is cut anywhere, or has a bit that flipped, is damaged") {
  const testing::temp_folder folder;
  const auto path = folder / "one.ndjson";
  make(path);
  const auto whole = text_of(path);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write(path, whole.substr(0, size));
    CHECK_MESSAGE(!read_manifest(path, {}), size);
  }
  // Of all lines but the last, whose numbers are those of the lines before.
  const auto last = whole.rfind("\n{") + 1;
  for (std::size_t at = 0; at < last; ++at)
    for (int bit = 0; bit < 8; ++bit) {
      auto text = whole;
      text[at] = static_cast<char>(text[at] ^ (1 << bit));
      write(path, text);
      CHECK_MESSAGE(!read_manifest(path, {}), at);
    }
  write(path, whole + "{}\n");
  CHECK(!read_manifest(path, {}));
  write(path, std::string(manifest_line_max + 10, 'x'));
  CHECK(code_of(read_manifest(path, {})) == codes::storage_corrupt);
}

TEST_CASE("manifest: of a later version is no damage") {
  const testing::temp_folder folder;
  const auto path = folder / "one.ndjson";
  write(path, "{\"format\":2}\n");
  CHECK(code_of(read_manifest(path, {})) == codes::storage_format);
}

TEST_CASE("manifest: paths lead into the parts of a data folder alone") {
  for (const char* good :
       {"store/CURRENT", "attachments/ab/abc", "work/t/s/a b", "audit/x", "work/..."})
    CHECK_MESSAGE(is_entry_path(good), good);
  for (const char* bad : {"", "store", "store/", "/store/x", "secret/server.key", "store/../x",
                          "work/./x", "work//x", "work/x/", "work/..", "storex/y", "../store/x"})
    CHECK_MESSAGE(!is_entry_path(bad), bad);
  CHECK(!is_entry_path(std::string_view("work/a\0b", 8)));
}

TEST_CASE("manifest: ids are moments") {
  CHECK(is_backup_id("20261130T185500123Z"));
  for (const char* bad :
       {"", "20261130", "20261130T185500123z", "../../../etc/passwdZ", "2026113_T185500123Z"})
    CHECK(!is_backup_id(bad));
}
