#include "security/audit/audit_copies.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "core/time.hpp"
#include "security/audit/audit_manifest.hpp"
#include "security/audit_folder_of.hpp"
#include "support/seed.hpp"

using namespace soma;
using namespace soma::security;
using soma::testing::audit_world;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t day_ms = 24 * 3'600'000;

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::string record_of_day(int days_ago, int n) {
  audit_record r;
  r.what = "conversation.send";
  const auto request = std::to_string(days_ago) + "-" + std::to_string(n);
  r.request_id = request;
  return audit_line(r, now_ms() - days_ago * day_ms) + "\n";
}

struct copied_world : audit_world {
  // Segments of three days that are over, and the one that is written.
  copied_world() {
    options.segment_bytes = 1200;
    const auto to = writer();
    chain = to->chain();
    for (const int ago : {3, 2, 1})
      for (int n = 0; n < 4; ++n) REQUIRE(to->append(record_of_day(ago, n)));
    REQUIRE(to->append(record_of_day(0, 0)));
  }
  std::unique_ptr<audit_copies> copies() const {
    return std::make_unique<audit_copies>(folder(), chain, data / "cold", key());
  }
  fs::path place() const { return fs::path(data / "cold") / chain; }
  std::string day(int ago) const {
    return format_rfc3339(now_ms() - ago * day_ms).substr(0, std::string("2026-11-30").size());
  }
  audit_verdict copies_verdict(audit_check how = {}) const {
    how.public_key = key().public_text();
    auto found = verify_audit(place().string(), how);
    if (found) return std::move(*found);
    audit_verdict bad;
    bad.why = found.error().detail;
    return bad;
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const auto& at : fs::recursive_directory_iterator(place()))
      if (at.path().extension() == ".ndjson" && at.path().filename() != "heads.ndjson")
        out.push_back(at.path());
    std::sort(out.begin(), out.end());
    return out;
  }

  std::string chain;
};

}  // namespace

TEST_CASE("audit copies: whole segments by their day, byte for byte, each day with a manifest") {
  const copied_world w;
  const auto copies = w.copies();
  CHECK(copies->copied() == 0);
  REQUIRE_MESSAGE(copies->look(), copies->why());
  const auto segments = audit_segments(w.folder());
  CHECK(copies->copied() == segments.back().first - 1);
  CHECK(w.files().size() == segments.size() - 1);
  for (const int ago : {3, 2, 1}) {
    const auto there = *manifest_in((w.place() / w.day(ago)).string());
    REQUIRE(there);
    CHECK(there->day == w.day(ago));
    CHECK(is_well_signed(*there));
    for (const auto& one : there->files)
      CHECK(text_of(w.place() / w.day(ago) / one.name) == text_of(fs::path(w.folder()) / one.name));
  }
  auto found = w.copies_verdict();
  CHECK_MESSAGE(found.right, found.why);
  CHECK(found.last == copies->copied());
  // Of one day, too.
  audit_check how;
  how.public_key = w.key().public_text();
  found = *verify_audit((w.place() / w.day(2)).string(), how);
  CHECK_MESSAGE(found.right, found.why);
  CHECK(found.records > 0);
  // Nothing new: nothing is written anew, also by another process.
  const auto before = fs::last_write_time(w.place() / w.day(1) / "manifest.json");
  REQUIRE(w.copies()->look());
  CHECK(fs::last_write_time(w.place() / w.day(1) / "manifest.json") == before);
}

TEST_CASE(
    "audit copies: what a look did not end is ended by the next, and what is lost is put back") {
  const copied_world w;
  REQUIRE(w.copies()->look());
  const auto lost = w.files().front();
  const auto text = text_of(lost);
  fs::remove(lost);
  write_text(lost.string() + ".new", "half");
  CHECK_FALSE(w.copies_verdict().right);
  REQUIRE(w.copies()->look());
  CHECK(text_of(lost) == text);
  CHECK(w.copies_verdict().right);
}

TEST_CASE("audit copies: every change of them is found") {
  const copied_world w;
  REQUIRE(w.copies()->look());
  std::mt19937_64 rng(testing::seed_of("audit copies"));
  const auto files = w.files();
  const auto pick = [&rng](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(rng);
  };
  for (int n = 0; n < 300; ++n) {
    const auto path = n % 3 == 0 ? files[pick(files.size())].parent_path() / "manifest.json"
                                 : files[pick(files.size())];
    const auto good = text_of(path);
    auto bad = good;
    if (n % 3 == 1 && n % 2 == 0) {
      bad.resize(pick(bad.size()));
    } else if (n % 30 == 1) {
      bad += bad.substr(bad.rfind('\n', bad.size() - 2) + 1);
    } else {
      bad[pick(bad.size() - 1)] ^= static_cast<char>(1 << pick(7));
    }
    if (bad == good) continue;
    write_text(path, bad);
    CAPTURE(path.string());
    CAPTURE(n);
    // A letter of a name that nobody reads is no change of what it says.
    const auto read = parse_audit_manifest(bad);
    const auto was = parse_audit_manifest(good);
    const bool says_the_same = n % 3 == 0 && read && to_json(*read) == to_json(*was);
    CHECK(w.copies_verdict().right == says_the_same);
    write_text(path, good);
  }
  REQUIRE(w.copies_verdict().right);
  // A day that is away, and files that stand for each other.
  const auto kept = w.data / "kept";
  fs::rename(w.place() / w.day(2), kept);
  const auto found = w.copies_verdict();
  CHECK_FALSE(found.right);
  CHECK(found.why.find("is missing") != std::string::npos);
  fs::rename(kept, w.place() / w.day(2));
  fs::rename(files[0], kept);
  fs::rename(files[1], files[0]);
  fs::rename(kept, files[1]);
  CHECK_FALSE(w.copies_verdict().right);
}

TEST_CASE("audit copies: a folder that cannot be written is told, and taken up once it can be") {
  const copied_world w;
  write_text(w.data / "cold", "a file");
  const auto copies = w.copies();
  CHECK_FALSE(copies->look());
  CHECK_FALSE(copies->why().empty());
  CHECK(copies->copied() == 0);
  fs::remove(w.data / "cold");
  CHECK(copies->look());
  CHECK(copies->why().empty());
}

TEST_CASE(
    "audit copies: one that is not right keeps no other from being copied, nor is it removed") {
  copied_world w;
  const auto segments = audit_segments(w.folder());
  REQUIRE(segments.size() > 4);
  const auto& bad = segments[1];
  const auto good = text_of(bad.path);
  write_text(bad.path, "no record\n" + good);
  const auto copies = w.copies();
  CHECK_FALSE(copies->look());
  CHECK(copies->why().find(bad.path) != std::string::npos);
  CHECK(w.files().size() == segments.size() - 2);
  CHECK(copies->copied() == bad.first - 1);  // and nothing behind it goes
  CHECK_FALSE(copies->look());
  const auto found = w.copies_verdict();
  CHECK_FALSE(found.right);
  CHECK(found.seq == bad.first);
  // Once somebody has looked at it.
  write_text(bad.path, good);
  CHECK(copies->look());
  CHECK(copies->why().empty());
  CHECK(copies->copied() == segments.back().first - 1);
  CHECK(w.copies_verdict().right);
}

TEST_CASE("audit copies: heads are added as they come, also behind half a line") {
  const copied_world w;
  REQUIRE(w.copies()->look("{\"seq\":1}"));
  const auto heads = w.place() / "heads.ndjson";
  const auto copies = w.copies();
  REQUIRE(copies->look("{\"seq\":2}"));
  REQUIRE(copies->look("{\"seq\":2}"));
  CHECK(text_of(heads) == "{\"seq\":1}\n{\"seq\":2}\n");
  write_text(heads, "{\"seq\":1}\n{\"se");
  REQUIRE(copies->look("{\"seq\":3}"));
  CHECK(text_of(heads) == "{\"seq\":1}\n{\"se\n{\"seq\":3}\n");
  CHECK(w.copies_verdict().right);
}

TEST_CASE("audit copies: nothing is removed that is not copied yet") {
  copied_world w;
  REQUIRE(w.copies()->look());
  w.options.keep_days = 1;
  std::uint64_t copied = 0;
  w.options.copied = [&copied] { return copied; };
  const auto before = audit_segments(w.folder()).size();
  const auto to = w.writer();
  REQUIRE(to->remove_old());
  CHECK(audit_segments(w.folder()).size() == before);
  copied = audit_segments(w.folder())[2].first - 1;
  REQUIRE(to->remove_old());
  CHECK(audit_segments(w.folder()).size() == before - 2);
  CHECK(w.verdict().right);
  CHECK(w.copies_verdict().right);
}

TEST_CASE("audit copies: a day that is over ends its segment, though nothing more comes") {
  audit_world w;
  w.options.segment_bytes = 600;
  {
    const auto to = w.writer();
    REQUIRE(to->append(record_of_day(1, 0)));
    REQUIRE(to->append(record_of_day(1, 1)));
    const auto count = audit_segments(w.folder()).size();
    REQUIRE(to->end_day());
    CHECK(audit_segments(w.folder()).size() == count + 1);
    REQUIRE(to->end_day());  // and does not end one that has nothing
    CHECK(audit_segments(w.folder()).size() == count + 1);
    CHECK(w.verdict().right);
  }
  const auto again = w.writer();
  CHECK(w.verdict().right);
  REQUIRE(again->append(record_of_day(0, 0)));
  const auto found = w.verdict();
  CHECK_MESSAGE(found.right, found.why);
}

TEST_CASE("audit log: copies are made beside the chain, by the ticks") {
  const copied_world w;
  {
    audit_log_options how;
    how.chain = w.options;
    how.chain.folder = w.folder();
    how.copies_folder = w.data / "cold";
    const auto log = std::move(*open_audit_chain(std::move(how), w.key()));
    log->tick();
    const auto wanted = audit_segments(w.folder()).size() - 1;
    for (int i = 0; i < 500 && (!fs::exists(w.place()) || w.files().size() < wanted); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(w.files().size() >= wanted);
    CHECK(log->not_copied().empty());
    // And the newest head, to be held against the rest.
    const auto heads = w.place() / "heads.ndjson";
    for (int i = 0; i < 500 && text_of(heads).empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    CHECK(text_of(heads) == log->head() + "\n");
  }
  CHECK(w.verdict().right);
}
