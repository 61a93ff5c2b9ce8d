// The same random work on both logs, with the same answers and the same contents, over many
// openings of the one on disk. SOMA_SEED replays one; SOMA_STEPS sets how many steps.
#include <doctest/doctest.h>

#include "storage/rocksdb_testing.hpp"
#include "storm.hpp"
#include "support/result_text.hpp"
#include "support/seed.hpp"
#include "support/temp_folder.hpp"

#include <rocksdb/env.h>

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;
using soma::testing::number_from_environment;

TEST_CASE("storage: both logs answer alike and hold the same, whatever is done to them") {
  const auto seed = soma::testing::seed_of("differential");
  INFO("replay with SOMA_SEED=" << seed);
  const auto steps = number_from_environment("SOMA_STEPS", 4000);
  const soma::testing::temp_folder folder;
  store_options options;
  options.data_dir = folder / "data";
  options.min_free_bytes = 0;
  options.event_bytes_max = storm_event_bytes_max;
  options.unsafe_no_fsync = true;
  store_seams seams;
  seams.env = rocksdb::Env::Default();
  seams.wal_bytes = 256 << 10;  // many tables, compactions, new WALs
  auto disk = open_rocksdb_event_log_on(options, seams).value();
  const auto memory = make_memory_event_log(1, storm_event_bytes_max);
  std::mt19937_64 random(seed);
  storm work(seed);
  storm twin = work;
  int openings = 1, refused = 0;
  for (std::uint64_t n = 0; n < steps; ++n) {
    CAPTURE(n);
    const auto step = work.next(*disk);
    const auto said = work.apply(step, *disk);
    (void)twin.next(*memory);  // draws the same
    REQUIRE(said == twin.apply(step, *memory));
    refused += said.find('.') != std::string::npos;
    const auto look = random();
    REQUIRE(difference(work.look(*disk, look), work.look(*memory, look)) == "");
    if (random() % 150 == 0) {
      disk.reset();
      disk = open_rocksdb_event_log_on(options, seams).value();
      drop_stages(*memory);
      work = storm(random());
      twin = work;
      ++openings;
    }
    if (random() % 50 == 0) REQUIRE(difference(dump(*disk), dump(*memory)) == "");
  }
  REQUIRE(difference(dump(*disk), dump(*memory)) == "");
  // It went everywhere.
  CHECK(openings > 3);
  CHECK(refused > 10);
  CHECK(disk->epoch() >= static_cast<std::uint32_t>(openings));
}
