// What somebody may do who has the files of a chain, and not its key.
#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "core/codes.hpp"
#include "security/audit/audit_copies.hpp"
#include "security/audit/audit_manifest.hpp"
#include "security/audit/audit_reader.hpp"
#include "security/audit_folder_of.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;
using soma::testing::audit_world;
using soma::testing::record_number;
namespace fs = std::filesystem;

namespace {

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

// Records that follow `at`, chained as whoever knows the form can.
std::string invented(audit_place at, int count) {
  std::string out;
  for (int n = 0; n < count; ++n) {
    const auto record = record_number(n);
    out.append(audit_chained(at, record.substr(1, record.size() - 2))).push_back('\n');
  }
  return out;
}

audit_head newest_head(const audit_world& w) {
  audit_head out;
  for (const auto& line : w.lines())
    if (audit_link_of(line)->what == audit_head_what) out = *head_in(line);
  return out;
}

audit_check by_key(const audit_world& w) {
  audit_check how;
  how.public_key = w.key().public_text();
  return how;
}

// A world of several segments whose oldest are removed, with a checkpoint.
audit_world& with_checkpoint(audit_world& w) {
  w.options.segment_bytes = 10'000;
  w.fill(300, 20);
  w.options.keep_bytes = 60'000;
  const auto to = w.writer();
  REQUIRE(to->remove_old());
  REQUIRE(to->sign());
  return w;
}

std::string open_error(const audit_world& w) {
  auto how = w.options;
  how.folder = w.folder();
  const auto opened = audit_writer::open(how, w.key());
  return opened ? std::string() : std::string(opened.error().code);
}

}  // namespace

TEST_CASE("audit attacks: records that nobody signed are not right, whoever's key is given") {
  const audit_world w;
  w.fill(10, 5);
  const auto path = audit_segments(w.folder()).front().path;
  write_text(path, invented({}, 200));
  auto found = w.verdict();
  CHECK_FALSE(found.right);
  CHECK(found.why.find("nobody has signed") != std::string::npos);
  // Nor are they as an export that begins anywhere.
  const auto file = w.data / "export.ndjson";
  write_text(file, invented({999'999, std::string(64, 'a')}, 100));
  found = *verify_audit(file, by_key(w));
  CHECK_FALSE(found.right);
  // And a start does not make them right.
  {
    const auto to = w.writer();
    CHECK(to->damaged());
    REQUIRE(to->sign());
  }
  CHECK_FALSE(w.verdict().right);
}

TEST_CASE(
    "audit attacks: what is put behind a head is told, and no more of it than may be unsigned") {
  const audit_world w;
  w.fill(20, 5);
  const auto path = audit_segments(w.folder()).back().path;
  const auto good = text_of(path);
  const auto last = w.lines().back();
  const auto link = *audit_link_of(last);
  const audit_place end{link.seq, std::string(link.hash)};
  write_text(path, good + invented(end, 7));
  auto found = w.verdict();
  CHECK(found.right);
  CHECK(found.behind_head == 7);
  auto closed = by_key(w);
  closed.is_closed = true;
  CHECK_FALSE(w.verdict(closed).right);
  // The start that signs them says that it found them so.
  REQUIRE(w.writer()->sign());
  found = w.verdict(closed);
  CHECK_MESSAGE(found.right, found.why);
  CHECK(text_of(path).find(R"("unsigned":7)") != std::string::npos);

  write_text(path, good + invented(end, static_cast<int>(audit_unsigned_max) + 1));
  CHECK_FALSE(w.verdict().right);
  CHECK(w.writer()->damaged());
  CHECK_FALSE(w.verdict().right);
}

TEST_CASE("audit writer: no more records than may be are ever unsigned") {
  const audit_world w;
  const auto to = w.writer();
  std::string many;
  for (int n = 0; n < 1000; ++n) many += record_number(n) + "\n";
  for (int n = 0; n < 70; ++n) REQUIRE(to->append(many));
  CHECK(to->unsigned_records() <= audit_unsigned_max);
  CHECK(w.verdict().right);
  CHECK(w.verdict().heads >= 2);
}

TEST_CASE("audit attacks: a head that is another's, or of other records, is found at the open") {
  for (const int kind : {0, 1, 2}) {
    const audit_world w, other;
    w.fill(20, 50);
    other.fill(20, 50);
    const auto path = audit_segments(w.folder()).back().path;
    auto lines = w.lines();
    std::string text;
    audit_place at;
    for (auto& line : lines) {
      const auto link = *audit_link_of(line);
      auto members = line.substr(line.find(",\"at\":") + 1);
      members.resize(members.rfind(",\"prev_hash\":"));
      if (link.what == audit_head_what && link.seq > 2) {
        auto head = *head_in(line);
        if (kind == 0) head.signature = newest_head(other).signature;
        if (kind == 1) head.root = std::string(64, '0');
        if (kind == 1) sign_head(head, w.key());
        if (kind == 2) head.chain = "another";
        if (kind == 2) sign_head(head, w.key());
        members = head_members(head);
      }
      text.append(audit_chained(at, members)).push_back('\n');
    }
    REQUIRE(text.size() > 1000);
    write_text(path, text);
    CAPTURE(kind);
    CHECK_FALSE(w.verdict().right);
    {
      const auto to = w.writer();
      CHECK(to->damaged());
      REQUIRE(to->sign());
    }
    CHECK_FALSE(w.verdict().right);
  }
}

TEST_CASE("audit attacks: the segment before the newest has to end with its head") {
  audit_world w;
  w.options.segment_bytes = 10'000;
  w.fill(100, 1000);
  const auto segments = audit_segments(w.folder());
  REQUIRE(segments.size() > 2);
  // Chained anew from the last head but one on, so that nothing but heads is missing.
  const auto cut = segments[segments.size() - 2];
  std::vector<std::string> lines;
  (void)each_audit_line(cut.path, [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  });
  lines.pop_back();
  std::string text;
  for (const auto& one : lines) text += one + "\n";
  write_text(cut.path, text);
  const auto link = *audit_link_of(lines.back());
  fs::remove(segments.back().path);
  write_text(audit_segment_path(w.folder(), link.seq + 1),
             invented({link.seq, std::string(link.hash)}, 5));
  const auto found = w.verdict();
  CHECK_FALSE(found.right);
  CHECK(found.why.find("ends with one") != std::string::npos);
  CHECK(w.writer()->damaged());
}

TEST_CASE("audit attacks: a kept head that nothing there can be compared with is told") {
  audit_world w;
  w.options.segment_bytes = 10'000;
  w.fill(30, 10);
  const auto old = newest_head(w);
  w.fill(300, 20);
  w.options.keep_bytes = 40'000;
  {
    const auto to = w.writer();
    REQUIRE(to->remove_old());
    REQUIRE(to->sign());
  }
  REQUIRE(w.verdict().right);
  auto how = by_key(w);
  how.kept.push_back(old);
  auto found = w.verdict(how);
  CHECK_FALSE(found.right);
  CHECK(found.why.find("compare that head with the copies") != std::string::npos);
  how.may_lack_past = true;
  CHECK(w.verdict(how).right);
  auto since = by_key(w);
  since.since = old;
  CHECK_FALSE(w.verdict(since).right);
  since.may_lack_past = true;
  CHECK(w.verdict(since).right);

  // An export whose front is cut off says where it begins, and an old head does not let it pass.
  const auto file = w.data / "export.ndjson";
  std::string text;
  const auto lines = w.lines();
  for (std::size_t i = 10; i < lines.size(); ++i) text += lines[i] + "\n";
  write_text(file, text);
  how.may_lack_past = false;
  CHECK_FALSE(verify_audit(file, how)->right);
  found = *verify_audit(file, by_key(w));
  CHECK_MESSAGE(found.right, found.why);
  CHECK(found.first == audit_link_of(lines[10])->seq);
}

TEST_CASE("audit attacks: a checkpoint that is not this chain's removes nothing") {
  audit_world w;
  with_checkpoint(w);
  const auto path = w.folder() + "/checkpoint.json";
  const auto good = text_of(path);
  const auto count = audit_segments(w.folder()).size();
  REQUIRE(count > 2);
  audit_head bad = *parse_audit_head(good);
  const auto refused = [&](const audit_head& what) {
    write_text(path, to_json(what));
    CHECK(open_error(w) == codes::storage_corrupt);
    CHECK(audit_segments(w.folder()).size() == count);
  };
  auto far = bad;
  far.seq = 999'999;  // not signed
  refused(far);
  sign_head(far, w.key());  // an old one of another time, say: no segment follows it
  refused(far);
  sign_head(far, audit_world().key());
  refused(far);
  auto other = bad;
  other.seq = audit_segments(w.folder()).back().first - 1;
  sign_head(other, w.key());  // it would remove all but one, and its hash is of another record
  refused(other);
  CHECK_FALSE(w.verdict().right);
  write_text(path, good);
  CHECK(open_error(w).empty());
  const auto found = w.verdict();
  CHECK_MESSAGE(found.right, found.why);
}

TEST_CASE("audit writer: a newest segment with half a line alone goes, and the chain goes on") {
  audit_world w;
  w.options.segment_bytes = 10'000;
  w.fill(100, 20);
  const auto chain = w.writer()->chain();
  const auto newest = w.lines().back();
  const auto last = *audit_link_of(newest);
  const auto next = audit_segment_path(w.folder(), last.seq + 1);
  write_text(next, "{\"seq\":" + std::to_string(last.seq + 1) + ",\"at\":\"2026");
  {
    const auto to = w.writer();
    CHECK(to->chain() == chain);
    CHECK_FALSE(to->damaged());
    REQUIRE(to->append(record_number(1) + "\n"));
    REQUIRE(to->sign());
  }
  auto found = w.verdict();
  CHECK_MESSAGE(found.right, found.why);
  CHECK(found.last > last.seq);
  // Lines that are none are put aside, which stays to be found.
  const auto behind = audit_segment_path(w.folder(), found.last + 1);
  write_text(behind, "nothing\n");
  CHECK(w.writer()->damaged());
  CHECK(fs::exists(behind + ".damaged"));
  CHECK_FALSE(w.verdict().right);
}

TEST_CASE("audit writer: where nothing says how a chain goes on no other is begun in its place") {
  audit_world w;
  w.options.segment_bytes = 10'000;
  w.fill(100, 20);
  const auto segments = audit_segments(w.folder());
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) fs::remove(segments[i].path);
  write_text(segments.back().path, "{\"seq\":");
  CHECK(open_error(w) == codes::storage_corrupt);
  CHECK(text_of(segments.back().path) == "{\"seq\":");
}

TEST_CASE("audit writer: a key that did not sign the chain is refused, not taken for it") {
  const audit_world w, other;
  w.fill(10, 5);
  auto how = w.options;
  how.folder = w.folder();
  const auto opened = audit_writer::open(how, other.key());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == codes::config_invalid);
}

TEST_CASE("audit copies: days that are away are found at the front, too, but for one day alone") {
  audit_world w;
  w.options.segment_bytes = 10'000;
  w.fill(200, 20);
  const auto cold = w.data / "cold";
  const auto chain = w.writer()->chain();
  audit_copies copies(w.folder(), chain, cold, w.key());
  REQUIRE(copies.look());
  const auto day = fs::directory_iterator(cold + "/" + chain)->path().string();
  // Its first file is away, and its manifest signed anew by whoever put it elsewhere.
  auto manifest = **manifest_in(day);
  REQUIRE(manifest.files.size() > 3);
  fs::remove(day + "/" + manifest.files.front().name);
  manifest.files.erase(manifest.files.begin());
  sign_manifest(manifest, w.key());
  REQUIRE(keep_manifest(day, manifest));
  auto how = by_key(w);
  auto found = *verify_audit(cold + "/" + chain, how);
  CHECK_FALSE(found.right);
  CHECK(found.seq == 1);
  how.may_lack_past = true;
  found = *verify_audit(cold + "/" + chain, how);
  CHECK_MESSAGE(found.right, found.why);
  CHECK(found.first == manifest.files.front().first);
  how.may_lack_past = false;
  CHECK(verify_audit(day, how)->right);
  manifest.files.front().name = "checkpoint.json";
  CHECK_FALSE(parse_audit_manifest(to_json(manifest)));
}

TEST_CASE("audit reader: an export while segments are begun has no holes") {
  audit_world w;
  w.options.segment_bytes = 2'000;
  const auto to = w.writer();
  std::atomic<bool> done{false};
  std::thread writing([&] {
    for (int n = 0; n < 3'000; ++n) (void)to->append(record_number(n) + "\n");
    done = true;
  });
  int exports = 0;
  std::string holes;
  while (!done || exports == 0) {
    audit_reader reader(w.folder(), {});
    std::uint64_t seq = 0;
    while (!reader.ended()) {
      const auto piece = *reader.next();
      for (std::size_t from = 0; from < piece.size();) {
        const auto end = piece.find('\n', from);
        const auto link = audit_link_of(std::string_view(piece).substr(from, end - from));
        if (link && link->seq != seq + 1) holes += " " + std::to_string(seq + 1);
        if (link) seq = link->seq;
        from = end + 1;
      }
    }
    ++exports;
  }
  writing.join();
  CHECK_MESSAGE(holes.empty(), holes);
}
