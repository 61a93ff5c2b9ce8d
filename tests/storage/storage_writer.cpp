// Writes to a store until it is killed, and tells each step before and after it:
//   storage_writer DATA_DIR SEED [FAILING_SYNC]
// "open EPOCH HASH" (of the dump), then "try" and "did WHAT CAME OF IT" for each step. Each line is
// out before the next thing happens. With FAILING_SYNC that sync and all later ones fail.
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>

#include "faulty_fs.hpp"
#include "storage/rocksdb_testing.hpp"
#include "storm.hpp"

using namespace soma::storage;
using namespace soma::storage::testing;

namespace {

void tell(const std::string& line) {
  const auto text = line + "\n";
  if (write(1, text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(3);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const auto disk = std::make_shared<faulty_fs>();
  const auto env = rocksdb::NewCompositeEnv(disk);
  if (argc > 3) disk->fail_from(std::stoull(argv[3]), faulty_fs::broken(), faulty_fs::sync);
  store_options options;
  options.data_dir = argv[1];
  options.min_free_bytes = 0;
  options.event_bytes_max = storm_event_bytes_max;
  store_seams seams;
  seams.env = argc > 3 ? env.get() : rocksdb::Env::Default();
  // A flush beside a failing sync may end the process in an assertion of RocksDB's.
  seams.wal_bytes = argc > 3 ? 64 << 20 : 64 << 10;
  const auto log = open_rocksdb_event_log_on(options, seams);
  if (!log) {
    std::fprintf(stderr, "%s: %s\n", std::string(log.error().code).c_str(),
                 log.error().detail.c_str());
    return 1;
  }
  tell("open " + std::to_string((*log)->epoch()) + " " +
       std::to_string(std::hash<std::string>{}(dump(**log))));
  storm work(std::stoull(argv[2]), 1000);
  for (;;) {
    const auto step = work.next(**log);
    tell("try");
    tell("did " + work.apply(step, **log));
  }
}
