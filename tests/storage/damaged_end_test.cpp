// Damage that keeps a table from being opened: in its index, its filter, its properties or its
// footer, a table cut short, one that is gone. A start says which file and what to do; a repair
// gives back all that the table did not hold. SOMA_SEED replays one.
#include <cstdlib>

#include "storage/patient_fs.hpp"
#include "storage/store_outline.hpp"
#include "storage/store_repair.hpp"
#include "support/seed.hpp"
#include "table_store.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t event_bytes = 4000;
const std::vector<session_key> all_keys = {key_of("a"), key_of("g"), key_of("m"), key_of("s"),
                                           key_of("z")};

// Several tables of most families, of which some span all sessions and some one.
struct store_with_tables : table_store {
  std::map<session_key, std::uint64_t> seqs;
  std::vector<live_table> tables;
  std::string original = options.data_dir, copy = folder / "copy";

  store_with_tables() {
    open();
    for (int round = 0; round < 4; ++round) {
      for (const auto& key : all_keys)
        for (int n = 0; n < 6; ++n) REQUIRE(append(key, event_bytes));
      for (int n = 0; n < 30; ++n) REQUIRE(append(all_keys[2], event_bytes));
    }
    REQUIRE(log->put_document("keys", "one", "value"));
    for (const auto& key : all_keys) seqs[key] = log->head(key)->seq;
    open();  // all of it into tables
    log.reset();
    tables = live_tables(store_folder(original)).value();
    REQUIRE(tables.size() >= 4);  // how many are left is up to compactions
    options.data_dir = copy;
  }
  fs::path path_of(const live_table& table) const {
    return fs::path(store_folder(copy)) / table.name;
  }
  void copy_anew() const {
    fs::remove_all(copy);
    fs::copy(original, copy, fs::copy_options::recursive);
  }
  // As a server opens it.
  result<std::unique_ptr<event_log>> start() const { return open_rocksdb_event_log(options); }

  // The events of a session that are there, each as it was written.
  std::uint64_t readable(const event_log& log, const session_key& key) const {
    const auto page = log.read(key, {.events_max = 10'000, .bytes_max = 1 << 30});
    if (!page) return 0;
    for (std::size_t n = 0; n < page->events.size(); ++n) {
      CHECK(page->events[n].id.seq == n + 1);
      CHECK(page->events[n].json == text_of(key, n + 1, event_bytes));
    }
    return page->events.size();
  }
};

// Every place, or a share of them by the seed: each is a copy, a repair and a start.
bool whole_sweep() {
  return std::getenv("SOMA_WHOLE_SWEEP") != nullptr;
}

}  // namespace

TEST_CASE("damage: a table that cannot be opened is named with what mends it, and a repair does") {
  const auto seed = soma::testing::seed_of("ends of tables");
  INFO("replay with SOMA_SEED=" << seed);
  std::mt19937_64 random(seed);
  store_with_tables s;
  int refused = 0, mended = 0, whole = 0, given_up = 0;
  for (const auto& table : s.tables) {
    CAPTURE(table.name);
    CAPTURE(table.family);
    const auto bytes = contents(fs::path(store_folder(s.original)) / table.name);
    // Places from the end: the footer, what is before it, and any.
    std::vector<std::size_t> places = {1, 20, 50, 53};
    for (int n = 0; n < 6; ++n)
      places.push_back(1 + random() % std::min<std::size_t>(bytes.size(), 1500));
    places.push_back(1 + random() % bytes.size());
    for (int n = 0; n < static_cast<int>(places.size()) + 3; ++n) {
      CAPTURE(n);
      if (!whole_sweep() && random() % 4 != 0) continue;
      s.copy_anew();
      if (n < static_cast<int>(places.size()))
        overwrite(s.path_of(table),
                  flipped(bytes, {bytes.size() - places[static_cast<std::size_t>(n)],
                                  static_cast<int>(random() % 8)}));
      else if (n == static_cast<int>(places.size()))
        overwrite(s.path_of(table), bytes.substr(0, random() % bytes.size()));
      else if (n == static_cast<int>(places.size()) + 1)
        overwrite(s.path_of(table), {});
      else
        fs::remove(s.path_of(table));
      if (const auto opened = s.start(); !opened) {
        ++refused;
        CHECK(opened.error().code == codes::storage_corrupt);
        CHECK_MESSAGE(opened.error().detail.find(table.name) != std::string::npos,
                      opened.error().detail);
        CHECK_MESSAGE(opened.error().detail.find("soma repair") != std::string::npos,
                      opened.error().detail);
      }
      const auto report = repair_store(s.copy);
      if (!report) {
        ++given_up;
        CHECK(table.family == "documents");  // an old key or setting must not show
        CHECK(report.error().detail.find("restore a backup") != std::string::npos);
        continue;
      }
      if (report->tables.empty())
        ++whole;
      else
        ++mended;
      const auto opened = s.start();
      REQUIRE_MESSAGE(opened.has_value(), opened.error().detail);
      for (const auto& key : all_keys) {
        CAPTURE(key.session.value);
        const auto lost = std::find_if(report->sessions.begin(), report->sessions.end(),
                                       [&](const auto& one) { return one.key == key; });
        const auto kept = s.readable(**opened, key);
        if (lost == report->sessions.end()) {
          REQUIRE(kept == s.seqs.at(key));
          continue;
        }
        CHECK(table.family == "events");
        CHECK(kept == lost->last_kept.seq);
      }
      if (!report->tables.empty())
        CHECK((fs::exists(fs::path(report->folder) / "store" / table.name) ||
               report->tables[0].find("missing") != std::string::npos));
    }
  }
  MESSAGE(refused << " starts were refused, " << mended << " stores mended, " << whole
                  << " were whole, " << given_up << " need a backup");
  CHECK(refused > (whole_sweep() ? 20 : 2));
  CHECK(mended > (whole_sweep() ? 40 : 4));
}

TEST_CASE("damage: no bit of a table's properties ends the process") {
  store_with_tables s;
  const auto smallest =
      *std::min_element(s.tables.begin(), s.tables.end(),
                        [](const live_table& a, const live_table& b) { return a.bytes < b.bytes; });
  const auto bytes = contents(fs::path(store_folder(s.original)) / smallest.name);
  s.copy_anew();
  std::mt19937_64 random(soma::testing::seed_of("bits of properties"));
  int told = 0, tried = 0;
  for (std::size_t at = 54; at < std::min<std::size_t>(bytes.size(), 1300);
       at += whole_sweep() ? 1 : 1 + random() % 15) {
    ++tried;
    overwrite(s.path_of(smallest), flipped(bytes, {bytes.size() - at, 7}));
    told += verify_store(s.copy).has_error();
  }
  CHECK(told * 3 > tried * 2);
}
