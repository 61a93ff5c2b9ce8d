// The same random work on a sealed log and on a plain one, with the same answers and contents.
// Pages that are cut by their bytes are not compared: those of a sealed log count what is stored.
// SOMA_SEED replays one; SOMA_STEPS sets how many steps.
#include <doctest/doctest.h>

#include "sealing/sealed_event_log.hpp"
#include "storage/storm.hpp"
#include "support/result_text.hpp"
#include "support/seed.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;
using soma::testing::number_from_environment;

TEST_CASE("sealing: a sealed log answers as a plain one does, whatever is done to them") {
  const auto seed = soma::testing::seed_of("sealed storm");
  INFO("replay with SOMA_SEED=" << seed);
  const auto steps = number_from_environment("SOMA_STEPS", 3000);
  const soma::testing::temp_folder folder;
  const auto keys =
      security::tenant_keys::open({folder / "keys", {secret_string(std::string(32, 'k'))}, true})
          .value();
  const auto inner =
      make_memory_event_log(1, storm_event_bytes_max + security::seal_overhead_bytes);
  sealing::sealed_event_log sealed(*inner, *keys);
  const auto plain = make_memory_event_log(1, storm_event_bytes_max);
  std::mt19937_64 random(seed);
  storm work(seed), twin = work;
  int refused = 0;
  for (std::uint64_t n = 0; n < steps; ++n) {
    CAPTURE(n);
    const auto step = work.next(sealed);
    const auto said = work.apply(step, sealed);
    (void)twin.next(*plain);  // draws the same
    REQUIRE(said == twin.apply(step, *plain));
    refused += said.find('.') != std::string::npos;
    if (random() % 50 == 0) REQUIRE(difference(dump(sealed), dump(*plain)) == "");
  }
  REQUIRE(difference(dump(sealed), dump(*plain)) == "");
  CHECK(refused > 10);
}
