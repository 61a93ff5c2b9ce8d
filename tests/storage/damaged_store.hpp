// Stores to be damaged: bytes of their files, and what opening a copy says.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "faulty_fs.hpp"
#include "storage/rocksdb_testing.hpp"
#include "storage/store_files.hpp"
#include "storm.hpp"
#include "support/temp_folder.hpp"

namespace soma::storage::testing {

inline std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void overwrite(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

// A store that was filled and closed; each trial damages a copy of it.
struct specimen {
  soma::testing::temp_folder folder{soma::testing::temp_folder::place::memory};
  const std::string original = folder / "original", copy = folder / "copy";
  std::set<std::string> lines;  // of its dump
  const std::unique_ptr<rocksdb::Env> env = impatient_env(std::make_shared<faulty_fs>());

  store_options options(const std::string& where) const {
    store_options o;
    o.data_dir = where;
    o.min_free_bytes = 0;
    o.event_bytes_max = storm_event_bytes_max;
    o.unsafe_no_fsync = true;
    o.on_fatal = [](const error&) {};
    return o;
  }
  result<std::unique_ptr<event_log>> open(const std::string& where) const {
    store_seams seams;
    seams.env = env.get();
    return open_rocksdb_event_log_on(options(where), seams);
  }

  void fill(std::uint64_t seed, int steps, std::size_t padding) {
    auto log = open(original).value();
    storm work(seed, padding);
    for (int n = 0; n < steps; ++n) work.apply(work.next(*log), *log);
    drop_stages(*log);
    note(*log);
  }
  void note(const event_log& log) {
    std::istringstream text(dump(log));
    for (std::string line; std::getline(text, line);) lines.insert(line);
  }
  // Recovery writes what the WAL holds to tables.
  void move_to_tables() { REQUIRE_FALSE(open(original).has_error()); }

  std::vector<std::filesystem::path> files(const std::string& kind) const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(store_folder(original)))
      if (entry.path().extension() == kind && entry.file_size() > 0) found.push_back(entry.path());
    return found;
  }
  std::filesystem::path manifest() const { return manifest_file(store_folder(original)); }

  // Makes a copy in which `file` holds `bytes`.
  void copy_with(const std::filesystem::path& file, const std::string& bytes) const {
    std::filesystem::remove_all(copy);
    std::filesystem::copy(original, copy, std::filesystem::copy_options::recursive);
    overwrite(std::filesystem::path(store_folder(copy)) / file.filename(), bytes);
  }
  result<std::unique_ptr<event_log>> open_with(const std::filesystem::path& file,
                                               const std::string& bytes) const {
    copy_with(file, bytes);
    return open(copy);
  }
};

struct flip {
  std::size_t byte;
  int bit;
};

inline std::string flipped(std::string bytes, const flip& f) {
  bytes[f.byte] = static_cast<char>(bytes[f.byte] ^ (1 << f.bit));
  return bytes;
}

// Offsets of all headers of records.
inline std::vector<std::size_t> headers_of(const std::string& bytes) {
  std::vector<std::size_t> found;
  for (std::size_t at = 0; at + 7 <= bytes.size();) {
    if (32768 - at % 32768 < 7) {
      at += 32768 - at % 32768;
      continue;
    }
    found.push_back(at);
    at += 7 + static_cast<unsigned char>(bytes[at + 4]) +
          256u * static_cast<unsigned char>(bytes[at + 5]);
  }
  return found;
}

}  // namespace soma::storage::testing
