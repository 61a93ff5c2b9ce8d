#include "security/audit/audit_chain.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "security/audit/audit_proof.hpp"
#include "security/audit/audit_search.hpp"
#include "security/audit_folder_of.hpp"
#include "security/digest.hpp"
#include "support/result_text.hpp"
#include "support/seed.hpp"

using namespace soma;
using namespace soma::security;
using soma::testing::audit_world;
using soma::testing::record_number;
namespace fs = std::filesystem;

namespace {

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

}  // namespace

TEST_CASE("audit chain: a record's hash is that of its line without it, and names the one before") {
  audit_place at;
  const auto first = audit_chained(at, R"("at":"2026-11-30T12:00:00.000Z","what":"a")");
  const auto before = at.hash;
  CHECK(first == R"({"seq":1,"at":"2026-11-30T12:00:00.000Z","what":"a","prev_hash":")" +
                     std::string(64, '0') + R"(","hash":")" + before + R"("})");
  CHECK(before == hex(bytes_of(sha256(R"({"seq":1,"at":"2026-11-30T12:00:00.000Z","what":"a",)"
                                      R"("prev_hash":")" +
                                      std::string(64, '0') + R"("})"))));
  const auto second = audit_chained(at, R"("at":"2026-11-30T12:00:00.000Z","what":"b")");
  const auto link = audit_link_of(second);
  REQUIRE(link);
  CHECK(link->seq == 2);
  CHECK(link->what == "b");
  CHECK(link->prev_hash == before);
  CHECK(audit_hash_of(second) == link->hash);
}

TEST_CASE("audit chain: what is no record by its form is none") {
  audit_place at;
  const auto good = audit_chained(at, R"("at":"2026-11-30T12:00:00.000Z","what":"a")");
  CHECK(audit_link_of(good));
  for (const auto& bad :
       {std::string(), std::string("{}"), good.substr(1), good + " ", "{\"seq\":0" + good.substr(8),
        "{\"seq\":01" + good.substr(8), good.substr(0, good.size() - 3) + "G\"}"})
    CHECK_FALSE(audit_link_of(bad));
}

TEST_CASE("audit tree: every leaf of every size has a path to the root, and no other leaf has it") {
  std::vector<std::string> leaves;
  for (int size = 1; size <= 40; ++size) {
    leaves.push_back(hex(bytes_of(sha256(std::to_string(size)))));
    audit_tree all;
    for (const auto& one : leaves) all.add(one);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const auto path = audit_path(leaves, i);
      CHECK(audit_root_by(leaves[i], path) == all.root());
      if (leaves.size() > 1) CHECK(audit_root_by(leaves[(i + 1) % size], path) != all.root());
    }
  }
}

TEST_CASE("audit key: made once with mode 0600, taken up again, refused where others may read it") {
  const audit_world w;
  const auto dir = w.data.path().string();
  CHECK_FALSE(audit_key::is_in(dir));
  const auto made = w.key();
  const auto path = audit_key::file_in(dir);
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const auto again = w.key();
  CHECK(again.public_text() == made.public_text());
  CHECK(again.id() == audit_key_id(made.public_text()));
  CHECK(public_text_of_pem(audit_key_pem(made.public_text())) == made.public_text());
  const auto signature = made.sign("text");
  CHECK(is_signed_by(made.public_text(), "text", signature));
  CHECK_FALSE(is_signed_by(made.public_text(), "texu", signature));
  CHECK_FALSE(is_signed_by(made.public_text(), "text", signature.substr(4)));
  CHECK_FALSE(is_signed_by("AAAA", "text", signature));
  ::chmod(path.c_str(), 0644);
  CHECK(audit_key::load(dir).error().detail.find("others may read it") != std::string::npos);
}

TEST_CASE("audit verify: a chain over several segments and starts is right, by its newest head") {
  audit_world w;
  w.options.segment_bytes = 20'000;
  w.fill(120, 17);
  w.fill(120, 1000);
  CHECK(audit_segments(w.folder()).size() > 3);
  const auto found = w.verdict();
  CHECK_MESSAGE(found.right, found.why);
  CHECK(found.first == 1);
  CHECK(found.records == w.lines().size());
  CHECK(found.behind_head == 0);
  CHECK(found.key_id == w.key().id());
}

TEST_CASE("audit verify: from a kept head on only what came later is looked at") {
  audit_world w;
  w.options.segment_bytes = 20'000;
  w.fill(100, 10);
  const auto all = w.lines();
  const auto kept = head_in(all.back());
  REQUIRE(kept);
  w.fill(100, 10);
  audit_check since;
  since.since = *kept;
  const auto found = w.verdict(since);
  CHECK_MESSAGE(found.right, found.why);
  CHECK(found.first == kept->seq + 1);
  CHECK(found.last == w.lines().size());
  auto other = *kept;
  other.hash[0] = other.hash[0] == 'a' ? 'b' : 'a';
  since.since = other;
  CHECK_FALSE(w.verdict(since).right);  // not signed
}

// What somebody without the key may do to a copy of the chain. Each gives what it did, and none
// leaves the chain as it was.
namespace {

struct tamperer {
  std::mt19937_64& random;
  std::vector<std::string> lines;
  const std::vector<std::string>& old;  // the same chain at an earlier time

  std::size_t any(std::size_t below) { return random() % below; }

  // Hashes made to fit again from `from` on, as whoever knows the form would.
  void chain_anew(std::size_t from) {
    audit_place at;
    if (from > 0) {
      const auto link = audit_link_of(lines[from - 1]);
      at = {link->seq, std::string(link->hash)};
    }
    for (auto i = from; i < lines.size(); ++i) {
      const auto begin = lines[i].find(",\"at\":") + 1, end = lines[i].rfind(",\"prev_hash\":");
      lines[i] = audit_chained(at, std::string(lines[i].substr(begin, end - begin)));
    }
  }

  std::string once() {
    const auto at = any(lines.size());
    switch (any(9)) {
      case 0: {
        auto& line = lines[at];
        line[any(line.size())] ^= static_cast<char>(1 << any(8));
        return "a bit";
      }
      case 1: lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at)); return "removed";
      case 2: {
        const auto other = (at + 1 + any(lines.size() - 1)) % lines.size();
        std::swap(lines[at], lines[other]);
        return "swapped";
      }
      case 3:
        lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(at), lines[any(lines.size())]);
        return "put in";
      case 4: lines.resize(at); return "cut tail";
      case 5: lines = old; return "an old state";
      case 6: {
        const auto from = any(lines.size());
        lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(from));
        chain_anew(from);
        return "removed, and chained anew";
      }
      case 7: {
        const auto where = lines[at].find("ann");
        if (where == std::string::npos) return once();
        lines[at].replace(where, 3, "eve");
        chain_anew(at);
        return "changed, and chained anew";
      }
      default: {
        auto& line = lines[at];
        line.resize(any(line.size()));
        return "half a line";
      }
    }
  }
};

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& one : lines) out.append(one).push_back('\n');
  return out;
}

}  // namespace

TEST_CASE("audit verify: 10,000 changes by whoever has not the key are all found") {
  const audit_world w;
  w.fill(60, 13);
  const auto old = w.lines();
  w.fill(60, 13);
  const auto lines = w.lines();
  audit_check how;
  how.public_key = w.key().public_text();
  const auto kept = head_in(lines.back());
  REQUIRE(kept);
  how.kept.push_back(*kept);
  const auto whole = joined(lines);
  const auto copy = w.data / "copy";
  fs::create_directory(copy);
  const auto path = audit_segment_path(copy, 1);
  write_text(path, whole);
  const auto right = *verify_audit(copy, how);
  REQUIRE_MESSAGE(right.right, right.why);

  const auto seed = soma::testing::seed_of("audit tampering");
  std::mt19937_64 random(seed);
  constexpr int rounds = 10'000;
  int found = 0, same = 0;
  std::map<std::string, int> by_kind;
  for (int round = 0; round < rounds; ++round) {
    tamperer by{random, lines, old};
    const auto kind = by.once();
    auto text = joined(by.lines);
    // The last record, or its end, may be cut by a byte, too.
    if (text == whole) text.pop_back(), ++same;
    write_text(path, text);
    const auto verdict = *verify_audit(copy, how);
    CHECK_MESSAGE(!verdict.right, kind << ", seed " << seed << ", round " << round);
    CHECK_MESSAGE(!verdict.why.empty(), kind);
    found += verdict.right ? 0 : 1;
    ++by_kind[kind];
  }
  CHECK(found == rounds);
  CHECK(by_kind.size() >= 9);
  CHECK(same < rounds / 20);
}

TEST_CASE("audit verify: the first record that is not right is named") {
  const audit_world w;
  w.fill(40, 10);
  const auto lines = w.lines();
  const auto path = audit_segments(w.folder()).front().path;
  const auto verdict_of = [&](std::vector<std::string> changed) {
    write_text(path, joined(changed));
    const auto found = w.verdict();
    CHECK_FALSE(found.right);
    CHECK(found.why.find("record " + std::to_string(found.seq) + " ") == 0);
    return found.seq;
  };
  auto changed = lines;
  changed[6].replace(changed[6].find("ann"), 3, "eve");
  CHECK(verdict_of(changed) == 7);
  changed = lines;
  changed.erase(changed.begin() + 20);
  CHECK(verdict_of(changed) == 21);
  changed = lines;
  std::swap(changed[3], changed[4]);
  CHECK(verdict_of(changed) == 4);
  changed = lines;
  changed.insert(changed.begin() + 9, changed[2]);
  CHECK(verdict_of(changed) == 10);
  for (const auto& one : audit_segments(w.folder())) fs::remove(one.path);
  CHECK_FALSE(w.verdict().right);
}

TEST_CASE("audit verify: another's key makes another chain, which is found") {
  const audit_world w, other;
  w.fill(20, 5);
  other.fill(20, 5);
  audit_check how;
  how.public_key = w.key().public_text();
  CHECK_FALSE(other.verdict(how).right);
  // Nor is a head of the other a head of this one.
  audit_check mixed;
  mixed.kept.push_back(*head_in(other.lines().back()));
  CHECK_FALSE(w.verdict(mixed).right);
}

TEST_CASE("audit proof: of one record, held against the key, and of no other") {
  audit_world w;
  w.options.segment_bytes = 20'000;
  w.fill(100, 13);
  const auto key = w.key().public_text();
  for (const int n : {1, 12, 13, 14, 57, 100}) {
    const auto proofs = prove_audit(w.folder(), "request-" + std::to_string(n));
    REQUIRE_MESSAGE(proofs, n);
    REQUIRE(proofs->size() == 1);
    const auto& proof = proofs->front();
    const auto record = verify_audit_proof(proof, key);
    REQUIRE(record);
    CHECK(record->find("\"request-" + std::to_string(n) + "\"") != std::string::npos);
    // Nothing of other requests is in it.
    CHECK(proof.find("request-", proof.find("request-") + 8) == std::string::npos);
    auto changed = proof;
    changed.replace(changed.find("ann"), 3, "eve");
    CHECK_FALSE(verify_audit_proof(changed, key));
    CHECK_FALSE(verify_audit_proof(proof, audit_world().key().public_text()));
  }
  CHECK_FALSE(prove_audit(w.folder(), "request-0"));
  CHECK_FALSE(verify_audit_proof("{}", key));
  CHECK_FALSE(verify_audit_proof("", key));
}

TEST_CASE("audit search: by who, what, request and time, newest first, in pages") {
  audit_world w;
  w.options.segment_bytes = 20'000;
  w.fill(100, 13);
  audit_filter all;
  all.tenant = "default";
  all.what = "conversation.*";
  std::vector<std::string> found;
  std::uint64_t before = 0;
  do {
    const auto page = find_audit(w.folder(), all, before, 7, 1 << 20);
    REQUIRE(page);
    CHECK(page->lines.size() <= 7);
    found.insert(found.end(), page->lines.begin(), page->lines.end());
    before = page->next_before;
  } while (before > 0);
  REQUIRE(found.size() == 100);
  CHECK(found.front().find("request-100\"") != std::string::npos);
  CHECK(found.back().find("request-1\"") != std::string::npos);

  audit_filter one = all;
  one.request_id = "request-5";
  CHECK(find_audit(w.folder(), one, 0, 50, 1 << 20)->lines.size() == 1);
  one = {};
  one.who = "nobody";
  CHECK(find_audit(w.folder(), one, 0, 50, 1 << 20)->lines.empty());
  one = {};
  one.tenant = "other";  // the node's own alone: heads and the first
  const auto of_node = find_audit(w.folder(), one, 0, 200, 1 << 20);
  REQUIRE(of_node);
  for (const auto& line : of_node->lines) CHECK(line.find("request-") == std::string::npos);
  one.with_nodes = false;
  CHECK(find_audit(w.folder(), one, 0, 200, 1 << 20)->lines.empty());
  one = all;
  one.to = "2000-01-01T00:00:00.000Z";
  CHECK(find_audit(w.folder(), one, 0, 50, 1 << 20)->lines.empty());
  const auto at = audit_record_at(w.folder(), 42);
  REQUIRE(at);
  REQUIRE(*at);
  CHECK(audit_link_of(**at)->seq == 42);
  CHECK_FALSE(*audit_record_at(w.folder(), 100'000));
}
