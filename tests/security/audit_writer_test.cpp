#include "security/audit/audit_writer.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "security/audit/audit_notes.hpp"
#include "security/audit/audit_refusals.hpp"
#include "security/audit_folder_of.hpp"
#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;
using soma::testing::audit_world;
using soma::testing::record_number;
namespace fs = std::filesystem;

namespace {

std::size_t count_of(const std::vector<std::string>& lines, std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      lines.begin(), lines.end(), [&](const auto& one) { return one.find(text) != one.npos; }));
}

}  // namespace

TEST_CASE("audit writer: half a line that a kill left is cut off, and a record says so") {
  const audit_world w;
  w.fill(10, 5);
  const auto path = audit_segments(w.folder()).back().path;
  const auto before = w.lines();
  std::ofstream(path, std::ios::binary | std::ios::app) << before.back().substr(0, 40);
  CHECK_FALSE(w.verdict().right);
  CHECK(w.verdict().why.find("is cut off in its middle") != std::string::npos);
  (void)w.writer()->sync();
  const auto found = w.verdict();
  CHECK_MESSAGE(found.right, found.why);
  CHECK(found.records == before.size() + 1);
  CHECK(count_of(w.lines(), R"("what":"audit.recovered")") == 1);
}

TEST_CASE("audit writer: damage is found at the open, stops nothing and stays to be found") {
  const audit_world w;
  w.fill(10, 5);
  const auto path = audit_segments(w.folder()).back().path;
  auto lines = w.lines();
  lines[4].replace(lines[4].find("ann"), 3, "eve");
  {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    for (const auto& one : lines) out << one << '\n';
  }
  const auto to = w.writer();
  CHECK(to->damaged());
  CHECK(to->append(record_number(1) + "\n"));
  CHECK(w.verdict().seq == 5);
  CHECK(w.lines().size() == lines.size() + 2);
  CHECK(count_of(w.lines(), R"("what":"audit.damaged")") == 1);
}

TEST_CASE(
    "audit writer: what is older than may be kept goes as whole segments, the rest is a chain") {
  audit_world w;
  w.options.segment_bytes = 10'000;
  w.fill(100, 1000);
  const auto before = w.lines();
  w.options.keep_days = 1;
  {
    const auto to = w.writer();
    CHECK(to->remove_old());
    CHECK(w.lines().size() == before.size());  // nothing is as old
  }
  // A day and more ago, but for the newest segment: as if it had been written then.
  audit_world old;
  old.options = w.options;
  old.options.keep_days = 1;
  {
    const auto to = old.writer();
    for (int n = 0; n < 100; ++n) {
      auto record = record_number(n);
      record.replace(7, 24, "2020-01-0" + std::to_string(1 + n / 25) + "T12:00:00.000Z");
      (void)to->append(record + "\n");
    }
    (void)to->append(record_number(100) + "\n");
    REQUIRE(to->sign());
  }
  const auto all = old.lines();
  REQUIRE(old.verdict().right);
  const auto count = audit_segments(old.folder()).size();
  REQUIRE(count > 3);
  {
    const auto to = old.writer();
    REQUIRE(to->remove_old());
    (void)to->sign();
  }
  CHECK(audit_segments(old.folder()).size() < count);
  CHECK(old.lines().size() < all.size());
  auto found = old.verdict();
  CHECK_MESSAGE(found.right, found.why);
  CHECK(found.first > 1);
  CHECK(count_of(old.lines(), R"("what":"audit.removed")") == 1);
  // Whoever kept a head of before finds its past whole.
  audit_check how;
  how.kept.push_back(*head_in(all.back()));
  found = old.verdict(how);
  CHECK_MESSAGE(found.right, found.why);
  // It goes on from there.
  { CHECK(old.writer()->append(record_number(7) + "\n")); }
  CHECK(old.verdict().right);
  // Without the checkpoint, or with more taken away, it is not right.
  const auto first = audit_segments(old.folder()).front().path;
  fs::rename(first, first + ".away");
  CHECK_FALSE(old.verdict().right);
  fs::rename(first + ".away", first);
  fs::remove(old.folder() + "/checkpoint.json");
  CHECK_FALSE(old.verdict().right);
}

TEST_CASE("audit writer: past its bytes the oldest segments go, and the rest is a chain") {
  audit_world w;
  w.options.segment_bytes = 10'000;
  w.options.keep_bytes = 30'000;
  w.fill(300, 1000);
  const auto count = audit_segments(w.folder()).size();
  {
    const auto to = w.writer();
    REQUIRE(to->remove_old());
    REQUIRE(to->sign());
  }
  const auto left = audit_segments(w.folder()).size();
  CHECK(left < count);
  CHECK(left >= 2);  // one that is written, and what fits beside it
  const auto found = w.verdict();
  CHECK_MESSAGE(found.right, found.why);
}

TEST_CASE("audit refusals: the first of a second are recorded each, the rest is counted") {
  audit_refusals all;
  audit_record r;
  r.what = "auth.refused";
  r.user_id = "ann";
  for (std::uint32_t n = 0; n < audit_refusals::each_max; ++n) CHECK(all.take(r, 1000));
  for (int n = 0; n < 5; ++n) CHECK_FALSE(all.take(r, 1500));
  r.user_id = "bob";
  CHECK(all.take(r, 1500));
  CHECK(all.counted(1900).empty());
  const auto told = all.counted(2000);
  REQUIRE(told.size() == 1);
  CHECK(told.front().find(R"("repeated":5)") != std::string::npos);
  r.user_id = "ann";
  CHECK_FALSE(all.take(r, 2100));  // it goes on
  CHECK(all.counted(3000).size() == 1);
  CHECK(all.counted(4000).empty());
  CHECK(all.take(r, 4100));
}

TEST_CASE("audit refusals: addresses, resources and sessions are told apart, within a bound") {
  audit_refusals all;
  audit_record r;
  r.what = "auth.refused";
  const auto take = [&](std::string_view data, std::int64_t now) {
    r.data_json = data;
    return all.take(r, now);
  };
  for (std::uint32_t n = 0; n < audit_refusals::each_max; ++n)
    CHECK(take(R"("peer":"2001:db8::1")", 1000));
  CHECK_FALSE(take(R"("peer":"2001:db8::2")", 1000));  // the same network
  CHECK(take(R"("peer":"2001:db8:0:1::1")", 1000));
  CHECK(take(R"("peer":"192.0.2.1")", 1000));
  r.resource = "one";
  CHECK(take(R"("peer":"192.0.2.1")", 1000));
  // At the end what was counted is told at once, with its address.
  auto told = all.rest(1100);
  REQUIRE(told.size() == 1);
  CHECK(told.front().find(R"("peer":"2001:db8::2","repeated":1)") != std::string::npos);
  // However many kinds there are, the records of a second are bounded.
  std::size_t recorded = 0;
  for (int n = 0; n < 100'000; ++n) {
    const auto resource = std::to_string(n);
    r.resource = resource;
    recorded += take({}, 10'000) ? 1 : 0;
  }
  told = all.counted(20'000);
  CHECK(recorded <= audit_refusals::singles_max);
  CHECK(told.size() <= audit_refusals::kinds_max + 1);
  CHECK(count_of(told, "\"resource\"") < told.size());  // what is beyond names nothing
}

TEST_CASE("audit log: records of many threads are one chain, signed at the wish of whoever asks") {
  audit_world w;
  w.options.segment_bytes = 100'000;
  constexpr int threads = 4, each = 500;
  {
    const auto log = w.log();
    std::vector<std::thread> all;
    for (int t = 0; t < threads; ++t)
      all.emplace_back([&log, t] {
        for (int n = 0; n < each; ++n) {
          audit_record r;
          r.what = "x";
          const auto request = std::to_string(t) + "-" + std::to_string(n);
          r.request_id = request;
          if (n % 2 == 0) {
            log->end(log->begin(r), r);
          } else {
            log->record(r);
          }
        }
      });
    for (auto& one : all) one.join();
    REQUIRE(log->flush(std::chrono::seconds(20)));
    REQUIRE(log->sign(std::chrono::seconds(20)));
    CHECK(log->lost() == 0);
    const auto head = parse_audit_head(log->head());
    REQUIRE(head);
    CHECK(is_well_signed(*head));
    CHECK(head->seq == w.lines().size() - 1);
    // Nothing came since: the same head.
    REQUIRE(log->sign(std::chrono::seconds(20)));
    CHECK(parse_audit_head(log->head())->seq == head->seq);
  }
  CHECK(count_of(w.lines(), R"("what":"x")") == threads * each);
  const auto found = w.verdict();
  CHECK_MESSAGE(found.right, found.why);
}

TEST_CASE("audit log: a copy has what the chain has, line for line") {
  audit_world w;
  w.options.segment_bytes = 70'000;
  const auto path = w.data / "copy.ndjson";
  {
    audit_log_options how;
    how.chain = w.options;
    how.chain.folder = w.folder();
    how.copy = std::move(*open_audit_file(path));
    const auto log = std::move(*open_audit_chain(std::move(how), w.key()));
    for (int n = 0; n < 400; ++n) log->write(record_number(n));
    REQUIRE(log->sign(std::chrono::seconds(20)));
    REQUIRE(log->flush(std::chrono::seconds(20)));
  }
  audit_check check;
  check.public_key = w.key().public_text();
  const auto found = *verify_audit(path, check);
  CHECK_MESSAGE(found.right, found.why);
  CHECK(found.heads >= 2);
  CHECK(found.last == w.lines().size());
}

TEST_CASE("audit log: a kill loses no record, and what it interrupted has one") {
#ifdef __SANITIZE_THREAD__
  return;  // a child of a process with threads hangs under it
#endif
  const audit_world w;
  int told[2];
  REQUIRE(::pipe(told) == 0);
  const auto child = ::fork();
  if (child == 0) {
    const auto log = w.log();
    audit_record r;
    r.what = "conversation.send";
    r.operation = "send_message";
    r.request_id = "under-way";
    r.outcome = "interrupted";
    (void)log->begin(r);
    for (int n = 0; n < 1000; ++n) log->write(record_number(n));
    r.request_id = "ended";
    const auto begun = log->begin(r);
    r.outcome = "done";
    log->end(begun, r);
    (void)!::write(told[1], "x", 1);
    ::kill(::getpid(), SIGKILL);
  }
  ::close(told[1]);  // a child that ended before is the end of the pipe
  char byte = 0;
  REQUIRE(::read(told[0], &byte, 1) == 1);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  for (int i = 0; i < 2; ++i) {
    const auto log = w.log();  // and a second start adds nothing
    REQUIRE(log->flush(std::chrono::seconds(20)));
    const auto lines = w.lines();
    for (int n = 0; n < 1000; n += 111)
      CHECK(count_of(lines, "\"request-" + std::to_string(n) + "\"") == 1);
    CHECK(count_of(lines, "\"request-") == 1000);
    CHECK(count_of(lines, "\"under-way\"") == 1);
    CHECK(count_of(lines, "\"interrupted\"") == 1);
    CHECK(count_of(lines, "\"ended\"") == 1);
  }
  const auto found = w.verdict();
  CHECK_MESSAGE(found.right, found.why);
}

TEST_CASE("audit notes: what has no place is told so, and a damaged place is left out") {
  const soma::testing::temp_folder folder;
  const auto dir = folder.path().string();
  {
    const auto notes = std::move(*audit_notes::open(dir));
    CHECK(notes->found().empty());
    CHECK(notes->begin(std::string(2000, 'x')) == 0);
    const auto first = notes->begin("{\"a\":1}");
    CHECK(first > 0);
    CHECK(notes->end(first, std::string(2000, 'x')) == first);  // what was begun stays
    for (std::size_t n = 1; n < audit_notes::places; ++n) CHECK(notes->begin("{}") > 0);
    CHECK(notes->begin("{}") == 0);
    CHECK(notes->end(0, "{}") == 0);
    notes->free(first);
    CHECK(notes->begin("{\"b\":1}") == first);
  }
  {
    std::fstream file(folder / "open", std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(2 * audit_notes::place_bytes + 24);
    file << "[";
  }
  const auto again = std::move(*audit_notes::open(dir));
  CHECK(again->found().size() == audit_notes::places - 1);
  again->clear();
  CHECK(std::move(*audit_notes::open(dir))->found().empty());
}

TEST_CASE("audit log: a disk that hangs is told before a record is lost, and none is") {
  audit_world w;
  std::atomic<bool> hangs{true}, inside{false};
  w.options.keep_days = 1;
  w.options.copied = [&] {
    inside = true;
    while (hangs) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return std::uint64_t{0};
  };
  const auto log = w.log();
  log->tick();
  while (!inside) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  const std::string padding(880, 'x');
  int n = 0;
  const auto put = [&] {
    audit_record r;
    r.what = "x";
    const auto request = "hung-" + std::to_string(n++);
    r.request_id = request;
    r.resource = padding;
    log->end(log->begin(r), r);
  };
  while (log->has_room() && n < 100'000) put();
  CHECK_FALSE(log->has_room());
  CHECK(n < static_cast<int>(audit_notes::places));
  // And those that are under way then.
  while (n < static_cast<int>(audit_notes::places) - 1) put();
  CHECK(log->lost() == 0);
  hangs = false;
  for (int i = 0; i < 200 && !log->flush(std::chrono::seconds(1)); ++i) log->tick();
  CHECK(log->has_room());
  CHECK(log->lost() == 0);
  CHECK(count_of(w.lines(), "\"hung-") == static_cast<std::size_t>(n));
  REQUIRE(log->sign(std::chrono::seconds(20)));
  CHECK(w.verdict().right);
}

TEST_CASE("audit log: a head is not told before it is on the disk") {
  audit_world w;
  std::atomic<bool> hangs{false}, inside{false};
  w.options.keep_days = 1;
  w.options.copied = [&] {
    inside = true;
    while (hangs) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return std::uint64_t{0};
  };
  const auto log = w.log();
  log->write(record_number(1));
  REQUIRE(log->sign(std::chrono::seconds(20)));
  const auto before = log->head();
  hangs = true;
  log->tick();
  while (!inside) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  log->write(record_number(2));
  CHECK_FALSE(log->sign(std::chrono::milliseconds(20)));
  CHECK(log->head() == before);
  hangs = false;
  REQUIRE(log->sign(std::chrono::seconds(20)));
  CHECK(log->head() != before);
  // Records that others write meanwhile do not keep whoever asks.
  std::atomic<bool> done{false};
  std::thread others([&] {
    for (int n = 0; !done; ++n) log->write(record_number(n));
  });
  for (int i = 0; i < 3; ++i) CHECK(log->sign(std::chrono::seconds(60)));
  done = true;
  others.join();
}

TEST_CASE("audit log: a request's id that came before hides nothing of what a kill interrupted") {
  const audit_world w;
  audit_record r;
  r.what = "conversation.send";
  r.operation = "send_message";
  r.request_id = "again";
  r.when_ms = 1000;
  r.outcome = "done";
  {
    const auto log = w.log();
    log->record(r);
    REQUIRE(log->flush(std::chrono::seconds(20)));
  }
  r.when_ms = 2000;
  r.outcome = "interrupted";
  {
    const auto notes = std::move(*audit_notes::open(w.folder()));
    REQUIRE(notes->begin(audit_line(r, 2000)) > 0);
  }
  for (int i = 0; i < 2; ++i) {
    const auto log = w.log();
    CHECK(count_of(w.lines(), "\"interrupted\"") == 1);
  }
}

TEST_CASE("audit writer: a chain has one writer, and another is refused until that has ended") {
  const audit_world w;
  {
    const auto first = w.log();
    audit_chain_options how;
    how.folder = w.folder();
    const auto second = audit_writer::open(how, w.key());
    REQUIRE_FALSE(second);
    CHECK(second.error().code == codes::storage_locked);
    first->write(record_number(1));
    CHECK(first->flush(std::chrono::seconds(20)));
  }
  w.log()->write(record_number(2));
  CHECK(w.verdict().right);
}

TEST_CASE("audit notes: what a version before left in its way is found, too") {
  const audit_world w;
  { const auto made = w.log(); }
  const std::string json = R"({"at":"2026-11-30T16:04:05.127Z","what":"x","request_id":"older"})";
  struct {
    std::uint32_t what = 2, size = 0;  // ended
    std::uint64_t number = 7, mark = 0;
  } head;
  head.size = static_cast<std::uint32_t>(json.size());
  head.mark = fingerprint(json) ^ (head.number * 4 + head.what);
  {
    std::fstream file(w.folder() + "/open", std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(3 * audit_notes::place_bytes);
    file.write(reinterpret_cast<const char*>(&head), sizeof head);
    file.write(json.data(), static_cast<std::streamsize>(json.size()));
  }
  const auto log = w.log();
  CHECK(count_of(w.lines(), "\"older\"") == 1);
}
