// Opens the store in the folder that is named and prints all that can be read of it; 1: it does not
// open, and why stands on standard error.
#include <unistd.h>

#include <cstdio>

#include "storm.hpp"

using namespace soma::storage;

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  store_options options;
  options.data_dir = argv[1];
  options.min_free_bytes = 0;
  options.event_bytes_max = testing::storm_event_bytes_max;
  options.unsafe_no_fsync = true;
  const auto log = open_rocksdb_event_log(options);
  if (!log) {
    std::fprintf(stderr, "%s: %s\n", std::string(log.error().code).c_str(),
                 log.error().detail.c_str());
    return 1;
  }
  std::fputs(testing::dump(**log).c_str(), stdout);
  std::fflush(stdout);
  _exit(0);  // closing would wait for what a damaged table has stopped
}
