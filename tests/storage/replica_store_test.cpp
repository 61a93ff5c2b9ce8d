// A store that follows logs and syncs nothing: what a loss of power leaves of its write-ahead log
// opens, holds whole records up to some place, and becomes what it was by reading on from there.
// SOMA_SEED replays one.
#include "storage/replica_store.hpp"

#include <filesystem>

#include "damaged_store.hpp"
#include "event_log_contract.hpp"
#include "support/seed.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;
namespace fs = std::filesystem;

namespace {

constexpr int records = 120, sessions = 5;
const std::string place = "place";

// A log of which each record changes rows of several families.
struct log_record {
  append_op op;
  judged_write write;
};
std::unique_ptr<log_record> record_of(int n) {
  auto made = std::make_unique<log_record>();
  made->op.key = key_of("s" + std::to_string(n % sessions));
  made->op.expected_seq = static_cast<std::uint64_t>(n / sessions);
  made->op.events.push_back(event_of(made->op.expected_seq + 1, event_type::app_event,
                                     std::string(static_cast<std::size_t>(n * 37 % 900), 'x')));
  made->op.info = info_of("title " + std::to_string(n), n);
  made->write.epoch = 3;
  made->write.append = &made->op;
  made->write.documents.push_back({"c", "k" + std::to_string(n % 7), std::to_string(n)});
  made->write.rows.emplace_back("row", std::to_string(n));
  made->write.place = {place, std::to_string(n)};
  return made;
}

store_options options_of(const std::string& folder) {
  store_options o;
  o.data_dir = folder;
  o.min_free_bytes = 0;
  o.on_fatal = [](const error&) {};
  return o;
}

int place_of(const replica_store& store) {
  const auto row = store.row(place);
  REQUIRE(row);
  return *row ? std::stoi(**row) : -1;
}

void read_on(replica_store& store) {
  for (int n = place_of(store) + 1; n < records; ++n) REQUIRE(store.apply(record_of(n)->write));
}

void check_whole_up_to(const replica_store& store, int last) {
  for (int s = 0; s < sessions; ++s) {
    const auto head = store.head(key_of("s" + std::to_string(s)));
    const auto events = static_cast<std::uint64_t>(last >= s ? (last - s) / sessions + 1 : 0);
    CHECK((head ? head->seq : 0) == events);
  }
  for (int k = 0; k < 7; ++k) {
    const int newest = last >= k ? last - (last - k) % 7 : -1;
    const auto found = store.get_document("c", "k" + std::to_string(k)).value();
    CHECK(found.value_or("-1") == std::to_string(newest));
  }
  CHECK(store.row("row")->value_or("-1") == std::to_string(last));
}

}  // namespace

TEST_CASE(
    "replica store: what a loss of power leaves opens, and becomes what it was by reading on") {
  const auto seed = soma::testing::seed_of("replica stores without power");
  INFO("replay with SOMA_SEED=" << seed);
  std::mt19937_64 random(seed);
  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  const std::string original = folder / "original", copy = folder / "copy";
  std::string whole;
  {
    auto store = open_rocksdb_replica_store(options_of(folder / "live")).value();
    read_on(*store);
    check_whole_up_to(*store, records - 1);
    whole = dump(*store);
    // As it lies on the disk while it is open.
    fs::copy(folder / "live", original, fs::copy_options::recursive);
  }
  const auto logs = wal_files(store_folder(original));
  REQUIRE_FALSE(logs.empty());
  const auto wal = fs::path(logs.back().path).filename();
  const auto bytes = contents(logs.back().path);
  REQUIRE(bytes.size() > 20'000);
  int lost = 0, kept = 0;
  for (int trial = 0; trial < 40; ++trial) {
    CAPTURE(trial);
    auto damaged = bytes;
    const auto at = random() % bytes.size();
    switch (trial % 4) {
      case 0: damaged.resize(at); break;
      case 1:
        std::fill(damaged.begin() + static_cast<std::ptrdiff_t>(at), damaged.end(), '\0');
        break;
      case 2:  // a page that was not written, before others that were
        std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(at),
                    std::min<std::size_t>(4096, bytes.size() - at), '\0');
        break;
      default: damaged[at] = static_cast<char>(damaged[at] ^ 0x10); break;
    }
    fs::remove_all(copy);
    fs::copy(original, copy, fs::copy_options::recursive);
    overwrite(fs::path(store_folder(copy)) / wal, damaged);
    auto opened = open_rocksdb_replica_store(options_of(copy));
    REQUIRE_MESSAGE(opened, (opened ? std::string() : opened.error().detail));
    const int last = place_of(**opened);
    check_whole_up_to(**opened, last);
    ++(last < records - 1 ? lost : kept);
    read_on(**opened);
    CHECK(difference(dump(**opened), whole).empty());
    // What was recovered and written since is there at the next start.
    opened->reset();
    auto again = open_rocksdb_replica_store(options_of(copy));
    REQUIRE(again);
    CHECK(place_of(**again) == records - 1);
    CHECK(difference(dump(**again), whole).empty());
  }
  CHECK(lost > 20);
}

TEST_CASE("replica store: a store of its own still refuses what is damaged before its end") {
  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  const std::string original = folder / "original";
  {
    auto store = open_rocksdb_event_log(options_of(folder / "live")).value();
    for (std::uint64_t n = 0; n < 40; ++n)
      REQUIRE(commit_one(*store, append_of(key_of("s"), 3 * n, 3)));
    fs::copy(folder / "live", original, fs::copy_options::recursive);
  }
  const auto log = wal_files(store_folder(original)).back();
  auto bytes = contents(log.path);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2), 100, '\0');
  overwrite(log.path, bytes);
  CHECK(code_of(open_rocksdb_event_log(options_of(original))) == codes::storage_corrupt);
}
