#include "security/audit/audit_follower.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "security/audit/audit_chain.hpp"
#include "security/audit/audit_folder.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::security;
using soma::testing::temp_folder;

namespace {

// A chain's folder, written as its writer does: whole lines, segments by their first number.
struct chain {
  std::string folder;
  audit_place place{};
  std::string segment{};

  void begin_segment() { segment = audit_segment_path(folder, place.seq + 1); }
  void write(int count) {
    if (segment.empty()) begin_segment();
    std::ofstream out(segment, std::ios::app);
    for (int n = 0; n < count; ++n)
      out << audit_chained(place, R"("at":"2026-11-30T16:04:05.127Z","what":"x")") << "\n";
  }
  void write_raw(const std::string& text) { std::ofstream(segment, std::ios::app) << text; }
};

std::vector<std::uint64_t> all(audit_follower& from) {
  std::vector<std::uint64_t> seqs;
  for (;;) {
    auto more = from.more();
    REQUIRE(more);
    if (more->empty()) return seqs;
    for (const auto& one : *more) {
      CHECK(audit_link_of(one.line)->seq == one.seq);
      seqs.push_back(one.seq);
    }
  }
}

std::vector<std::uint64_t> numbers(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> out;
  for (; from <= to; ++from) out.push_back(from);
  return out;
}

}  // namespace

TEST_CASE("audit follower: reads on as records come, over segments") {
  const temp_folder folder;
  chain c{folder.path().string()};
  audit_follower follower(folder.path().string(), 1);
  CHECK(all(follower).empty());
  c.write(3);
  CHECK(all(follower) == numbers(1, 3));
  CHECK(all(follower).empty());
  c.write(2);
  c.begin_segment();
  c.write(2);
  c.begin_segment();
  c.write(1);
  CHECK(all(follower) == numbers(4, 8));
  c.write(1);
  CHECK(all(follower) == numbers(9, 9));
  CHECK(follower.left_out() == 0);
}

TEST_CASE("audit follower: begins in the middle of a segment, and goes back") {
  const temp_folder folder;
  chain c{folder.path().string()};
  c.write(5);
  c.begin_segment();
  c.write(5);
  audit_follower follower(folder.path().string(), 7);
  CHECK(all(follower) == numbers(7, 10));
  follower.go_back(4);
  CHECK(all(follower) == numbers(4, 10));
  audit_follower next(folder.path().string(), 11);
  CHECK(all(next).empty());
  c.write(1);
  CHECK(all(next) == numbers(11, 11));
}

TEST_CASE("audit follower: a line that is not whole is not there, one that is none is left out") {
  const temp_folder folder;
  chain c{folder.path().string()};
  c.write(1);
  audit_follower follower(folder.path().string(), 1);
  CHECK(all(follower) == numbers(1, 1));
  const auto line = audit_chained(c.place, R"("at":"2026-11-30T16:04:05.127Z","what":"y")");
  c.write_raw(line.substr(0, 20));
  CHECK(all(follower).empty());
  c.write_raw(line.substr(20) + "\n");
  CHECK(all(follower) == numbers(2, 2));
  (void)audit_chained(c.place, R"("at":"2026-11-30T16:04:05.127Z","what":"z")");
  c.write_raw("rubbish\n");
  c.write(1);
  CHECK(all(follower) == numbers(4, 4));
  CHECK(follower.left_out() == 1);
}

TEST_CASE("audit follower: what was removed is left out and told") {
  const temp_folder folder;
  chain c{folder.path().string()};
  c.write(3);
  const auto oldest = c.segment;
  c.begin_segment();
  c.write(2);
  std::filesystem::remove(oldest);
  audit_follower follower(folder.path().string(), 1);
  CHECK(all(follower) == numbers(4, 5));
  CHECK(follower.left_out() == 3);
}
