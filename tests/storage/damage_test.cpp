// Bits that flip on the disk, tails that are torn, files that are gone: what is damaged is
// reported, with the file's name, and never served or stepped over. SOMA_SEED replays one;
// SOMA_FLIPS sets how many bits flip at random, 0 takes one of every byte.
#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "damaged_store.hpp"
#include "storage/store_repair.hpp"
#include "support/child_process.hpp"
#include "support/result_text.hpp"
#include "support/seed.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;
using soma::testing::child_process;
using soma::testing::number_from_environment;
namespace fs = std::filesystem;

namespace {

// Names the file, and says that it is damage.
bool is_told(const error& why, const fs::path& file) {
  return why.code == codes::storage_corrupt &&
         why.detail.find(file.filename().string()) != std::string::npos;
}

std::vector<flip> flips_of(std::size_t size, std::mt19937_64& random, std::uint64_t wanted) {
  std::vector<flip> flips;
  if (wanted == 0)
    for (std::size_t byte = 0; byte < size; ++byte)
      flips.push_back({byte, static_cast<int>(random() % 8)});
  for (std::uint64_t n = 0; n < wanted; ++n)
    flips.push_back({random() % size, static_cast<int>(random() % 8)});
  return flips;
}

}  // namespace

TEST_CASE("damage: any bit that flips in a write-ahead log or the MANIFEST stops the opening") {
  const auto seed = soma::testing::seed_of("flips in logs");
  INFO("replay with SOMA_SEED=" << seed);
  std::mt19937_64 random(seed);
  specimen s;
  s.fill(seed, 120, 3000);  // several blocks
  REQUIRE(s.files(".log").size() == 1);
  for (const auto& file : {s.files(".log")[0], s.manifest()}) {
    CAPTURE(file);
    const auto bytes = contents(file);
    auto flips = flips_of(bytes.size(), random, number_from_environment("SOMA_FLIPS", 60));
    // Headers are what RocksDB itself trusts too much.
    for (const auto header : headers_of(bytes))
      flips.push_back({header + random() % 7, static_cast<int>(random() % 8)});
    for (int bit = 0; bit < 8; ++bit)
      for (const auto header : {headers_of(bytes).front(), headers_of(bytes).back()})
        for (std::size_t byte = 4; byte < 7; ++byte) flips.push_back({header + byte, bit});
    for (const auto& f : flips) {
      CAPTURE(f.byte);
      CAPTURE(f.bit);
      const auto opened = s.open_with(file, flipped(bytes, f));
      REQUIRE_FALSE(opened.has_value());
      REQUIRE_MESSAGE(is_told(opened.error(), file), opened.error().detail);
    }
  }
}

TEST_CASE("damage: a bit that flips in a table is reported by the read that meets it") {
  const auto seed = soma::testing::seed_of("flips in tables");
  INFO("replay with SOMA_SEED=" << seed);
  std::mt19937_64 random(seed);
  specimen s;
  s.fill(seed, 60, 200);
  const auto whole = dump(**s.open(s.original));  // and all of it lies in tables now
  int told = 0, harmless = 0, aborted = 0;
  for (const auto& file : s.files(".sst")) {
    CAPTURE(file);
    const auto bytes = contents(file);
    for (const auto& f :
         flips_of(bytes.size(), random, number_from_environment("SOMA_FLIPS", 15))) {
      CAPTURE(f.byte);
      CAPTURE(f.bit);
      s.copy_with(file, flipped(bytes, f));
      // In a process of its own: RocksDB reads a table's properties before it checks them, and some
      // bits in them end in an assertion. That, too, serves nothing.
      child_process reader(soma::testing::sibling_program("storage_reader"), {s.copy});
      const auto found = reader.output();
      const auto status = reader.end(0);
      const auto errors = reader.errors();
      if (WIFSIGNALED(status)) {
        REQUIRE_MESSAGE(errors.find("Assertion") != std::string::npos, errors);
        ++aborted;
        continue;
      }
      if (WEXITSTATUS(status) == 1) {
        REQUIRE_MESSAGE(errors.starts_with(codes::storage_corrupt), errors);
        REQUIRE_MESSAGE(errors.find(file.filename().string()) != std::string::npos, errors);
        ++told;
        continue;
      }
      REQUIRE_MESSAGE(WEXITSTATUS(status) == 0, errors);
      std::istringstream text(found);
      bool reported = false;
      for (std::string line; std::getline(text, line);) {
        if (line.find(codes::storage_corrupt) != std::string::npos)
          reported = true;
        else
          REQUIRE_MESSAGE(s.lines.contains(line), line);
      }
      reported ? ++told : ++harmless;
      // Nothing is missing without a word.
      if (!reported) REQUIRE(difference(found, whole) == "");
    }
  }
  MESSAGE(told << " flips were reported, " << harmless << " hit bytes that nothing reads, "
               << aborted << " ended the reader");
  CHECK(told > harmless);
  CHECK(aborted * 20 <= told);
}

TEST_CASE("damage: a log that ends in the middle of a write opens without that write") {
  specimen s;
  std::string before, after;
  std::size_t whole = 0;
  {
    auto log = s.open(s.original).value();
    storm work(7, 100);
    for (int n = 0; n < 30; ++n) work.apply(work.next(*log), *log);
    drop_stages(*log);
    before = dump(*log);
    whole = fs::file_size(s.files(".log")[0]);
    append_op last;
    last.key = {tenant_id("t"), session_id("s")};
    if (const auto head = log->head(last.key)) last.expected_seq = head->seq;
    for (std::uint64_t n = 1; n <= 3; ++n)
      last.events.push_back({last.expected_seq + n, event_type::app_event,
                             std::string(n == 2 ? storm_event_bytes_max : 80, 'x')});
    for (int n = 0; n < 8; ++n) last.outbox.push_back({"kafka", std::string(4000, 'y')});
    REQUIRE(log->commit(std::span(&last, 1))[0]);
    after = dump(*log);
  }
  const auto file = s.files(".log")[0];
  const auto bytes = contents(file);
  REQUIRE(bytes.size() > whole + 33'000);  // so that it has more than one piece
  const auto trial = [&](std::size_t size) {
    CAPTURE(size);
    const auto opened = s.open_with(file, bytes.substr(0, size));
    REQUIRE_MESSAGE(opened.has_value(), opened.error().detail);
    REQUIRE(difference(dump(**opened), size == bytes.size() ? after : before) == "");
  };
  for (std::size_t size = whole; size < whole + 30; ++size) trial(size);
  for (std::size_t size = whole + 30; size < bytes.size() - 15; size += 1499) trial(size);
  for (std::size_t size = bytes.size() - 15; size <= bytes.size(); ++size) trial(size);
  // Around the beginning of a block.
  for (std::size_t size = 32768 - 10; size < 32768 + 10; ++size)
    if (size >= whole) trial(size);
}

TEST_CASE("damage: a tail that no interrupted write leaves stops the opening") {
  specimen s;
  s.fill(11, 30, 100);
  const auto file = s.files(".log")[0];
  const auto bytes = contents(file);
  const auto last = headers_of(bytes).back();
  auto is_refused = [&](const std::string& with) {
    const auto opened = s.open_with(file, with);
    REQUIRE_FALSE(opened.has_value());
    CHECK_MESSAGE(is_told(opened.error(), file), opened.error().detail);
  };
  // Zeros with anything behind them.
  is_refused(bytes + std::string(4096, '\0') + bytes.substr(last));
  is_refused(bytes + std::string(100'000, '\0') + "x");
  is_refused(bytes + "this is not a record at all");
  // A flipped bit in the last record, and zeros behind it: not all of it can have been torn.
  is_refused(flipped(bytes, {last + 20, 1}) + std::string(4096, '\0'));
  // A hole between records, as a lost page leaves it.
  const auto middle = headers_of(bytes)[headers_of(bytes).size() / 2];
  is_refused(bytes.substr(0, middle) + std::string(100, '\0') + bytes.substr(middle + 100));
}

TEST_CASE(
    "damage: a log that goes on in zeros after a loss of power opens with all whole commits") {
  specimen s;
  std::string before, after;
  std::size_t whole = 0;
  {
    auto log = s.open(s.original).value();
    storm work(7, 100);
    for (int n = 0; n < 30; ++n) work.apply(work.next(*log), *log);
    drop_stages(*log);
    before = dump(*log);
    whole = fs::file_size(s.files(".log")[0]);
    append_op last;
    last.key = {tenant_id("t"), session_id("z")};
    for (std::uint64_t n = 1; n <= 3; ++n)
      last.events.push_back(
          {n, event_type::app_event, std::string(n == 2 ? storm_event_bytes_max : 80, 'x')});
    for (int n = 0; n < 8; ++n) last.outbox.push_back({"kafka", std::string(4000, 'y')});
    REQUIRE(log->commit(std::span(&last, 1))[0]);
    after = dump(*log);
  }
  const auto file = s.files(".log")[0];
  const auto bytes = contents(file);
  REQUIRE(bytes.size() > whole + 33'000);
  const auto trial = [&](const std::string& with, const std::string& wanted) {
    s.copy_with(file, with);
    std::vector<std::string> notices;
    auto options = s.options(s.copy);
    options.on_notice = [&](const std::string& what) { notices.push_back(what); };
    store_seams seams;
    seams.env = s.env.get();
    const auto opened = open_rocksdb_event_log_on(options, seams);
    REQUIRE_MESSAGE(opened.has_value(), opened.error().detail);
    REQUIRE(difference(dump(**opened), wanted) == "");
    REQUIRE(notices.size() == 1);
    CHECK(notices[0].find(file.filename().string()) != std::string::npos);
    CHECK(notices[0].find("zeros") != std::string::npos);
  };
  for (const std::size_t zeros : {7u, 100u, 4096u, 200'000u}) {
    CAPTURE(zeros);
    trial(bytes + std::string(zeros, '\0'), after);
    trial(bytes.substr(0, whole) + std::string(zeros, '\0'), before);
  }
  // The new size was kept, and of the bytes those of the first sectors alone.
  for (auto at = (whole / 512 + 1) * 512; at < bytes.size(); at += 512 * 7) {
    CAPTURE(at);
    if (bytes.size() - at > 64)
      trial(bytes.substr(0, at) + std::string(bytes.size() - at, '\0'), before);
    trial(bytes.substr(0, at) + std::string(150'000, '\0'), before);
  }
  SUBCASE("and a repair has nothing to do") {
    s.copy_with(file, bytes + std::string(5000, '\0'));
    CHECK(verify_store(s.copy));
    CHECK(repair_store(s.copy)->files.empty());
  }
}

TEST_CASE("damage: a store that has lost a file is refused, not begun anew") {
  specimen s;
  s.fill(13, 40, 100);
  s.move_to_tables();
  const auto refused_without = [&](const fs::path& file) {
    fs::remove_all(s.copy);
    fs::copy(s.original, s.copy, fs::copy_options::recursive);
    fs::remove(fs::path(store_folder(s.copy)) / file.filename());
    const auto opened = s.open(s.copy);
    REQUIRE_FALSE(opened.has_value());
    CHECK_MESSAGE(opened.error().code == codes::storage_corrupt, opened.error().detail);
    for (const auto& kept : s.files(".sst"))  // unknown tables are what a new store deletes
      if (kept.filename() != file.filename())
        CHECK(fs::exists(fs::path(store_folder(s.copy)) / kept.filename()));
  };
  const fs::path current = store_folder(s.original) + "/CURRENT";
  refused_without(current);
  refused_without(s.manifest());
  for (const auto& table : s.files(".sst")) refused_without(table);
  for (const auto& garbage : {std::string(), std::string("\n"), std::string("MANIFEST-000999\n"),
                              contents(current).substr(0, 10), std::string("../\n")}) {
    CAPTURE(garbage);
    const auto opened = s.open_with(current, garbage);
    REQUIRE_FALSE(opened.has_value());
    CHECK_MESSAGE(is_told(opened.error(), current), opened.error().detail);
  }
}

TEST_CASE("damage: a store whose making was interrupted is made again") {
  // What an interrupted first start leaves has no CURRENT and nothing that was acknowledged.
  specimen s;
  fs::create_directories(store_folder(s.original));
  overwrite(store_folder(s.original) + "/MANIFEST-000001", "cut");
  overwrite(store_folder(s.original) + "/LOG", "");
  const auto opened = s.open(s.original);
  REQUIRE_MESSAGE(opened.has_value(), opened.error().detail);
}
