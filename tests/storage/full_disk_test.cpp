// A real disk that is really full: a small tmpfs in a mount namespace of this process's own. Where
// that cannot be had the program says so and counts as skipped. SOMA_SEED replays one.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "core/codes.hpp"
#include "faulty_fs.hpp"
#include "storage/rocksdb_testing.hpp"
#include "storm_run.hpp"
#include "support/result_text.hpp"
#include "support/seed.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::storage;
using namespace soma::storage::testing;
namespace fs = std::filesystem;

namespace {

constexpr int skipped = 77;  // as tests/storage/CMakeLists.txt says
std::string disk;

std::uint64_t free_bytes() {
  struct statvfs now {};
  REQUIRE(statvfs(disk.c_str(), &now) == 0);
  return now.f_bavail * now.f_frsize;
}

// Fills the disk until so much is left; it makes room again when it goes.
class ballast {
 public:
  explicit ballast(std::uint64_t left) : path_(disk + "/ballast") {
    const std::string block(4096, 'x');
    std::ofstream file(path_, std::ios::binary);
    while (file && free_bytes() > left) file << block << std::flush;
  }
  ~ballast() { fs::remove(path_); }

 private:
  const std::string path_;
};

struct small_store {
  store_options options;
  // The real disk; RocksDB alone is kept from waiting a second after each failure.
  std::unique_ptr<rocksdb::Env> env = impatient_env(std::make_shared<faulty_fs>());
  store_seams seams;
  int fatal = 0;
  std::string why;
  std::unique_ptr<event_log> log;

  explicit small_store(const std::string& name, std::uint64_t min_free_bytes = 0) {
    options.data_dir = disk + "/" + name;
    options.min_free_bytes = min_free_bytes;
    options.event_bytes_max = storm_event_bytes_max;
    options.on_fatal = [this](const error& e) {
      ++fatal;
      why = e.detail;
    };
    seams.env = env.get();
    seams.wal_bytes = 512 << 10;
  }
  ~small_store() {
    log.reset();
    fs::remove_all(options.data_dir);
  }
  result<void> open() {
    auto opened = open_rocksdb_event_log_on(options, seams);
    if (!opened) return opened.error();
    log = std::move(*opened);
    return {};
  }
};

// Deletions of a commit may be taken where its other ops are not.
void leave_out_refused(storm_step& step, const std::string& said) {
  std::istringstream words(said);
  std::string word;
  words >> word;  // what it was
  std::vector<append_op> taken;
  for (auto& op : step.ops)
    if (words >> word && word != codes::storage_full) taken.push_back(std::move(op));
  step.ops = std::move(taken);
}

// Runs steps, and gives how many a full disk refused.
int run(small_store& s, storm& work, storm_twin& twin, int steps) {
  int refused = 0;
  for (int n = 0; n < steps; ++n) {
    auto step = work.next(*s.log);
    const auto said = work.apply(step, *s.log);
    REQUIRE_MESSAGE(said.find(codes::storage_unavailable) == std::string::npos, s.why);
    if (said.find(codes::storage_full) != std::string::npos) {
      ++refused;
      leave_out_refused(step, said);
      if (step.what != storm_step::commit || !step.synced(said)) continue;
    }
    twin.tried(step);
    twin.acknowledged(true);
  }
  return refused;
}

append_op one_event(std::uint64_t expected_seq, std::size_t bytes) {
  append_op op;
  op.key = {tenant_id("t"), session_id("s")};
  op.expected_seq = expected_seq;
  op.events.push_back({expected_seq + 1, event_type::app_event, std::string(bytes, 'x')});
  return op;
}

}  // namespace

TEST_CASE("full disk: below min_free_bytes nothing is taken, above it all goes on") {
  constexpr std::uint64_t reserve = 8 << 20;
  small_store s("reserve", reserve);
  REQUIRE_FALSE(s.open().has_error());
  std::uint64_t seq = 0;
  {
    const ballast most(reserve + (2 << 20));
    for (;;) {
      const auto op = one_event(seq, 4000);
      const auto done = s.log->commit(std::span(&op, 1))[0];
      if (!done) {
        CHECK(done.error().code == codes::storage_full);
        CHECK(done.error().detail.find("min_free_bytes") != std::string::npos);
        break;
      }
      seq = *done;
    }
    CHECK(seq > 10);
    CHECK(free_bytes() < reserve);
    CHECK(free_bytes() > reserve / 2);  // the reserve is one
    CHECK(s.log->head({tenant_id("t"), session_id("s")})->seq == seq);
    auto gone = one_event(seq, 10);
    gone.remove = true;
    CHECK(s.log->commit(std::span(&gone, 1))[0].value() == seq + 1);
  }
  const auto op = one_event(0, 4000);
  CHECK(s.log->commit(std::span(&op, 1))[0].value() == 1);
  CHECK(s.fatal == 0);
}

TEST_CASE("full disk: a write that finds no space is refused, and all goes on once there is some") {
  const auto seed = soma::testing::seed_of("full disk");
  INFO("replay with SOMA_SEED=" << seed);
  std::mt19937_64 random(seed);
  int rounds_full = 0;
  for (int round = 0; round < 12; ++round) {
    CAPTURE(round);
    small_store s("store");
    storm_twin twin;
    REQUIRE_FALSE(s.open().has_error());
    storm work(random(), 3000);
    REQUIRE(run(s, work, twin, static_cast<int>(random() % 100)) == 0);
    for (int times = 0; times < 2; ++times) {
      int refused = 0;
      {
        // From nothing at all to what a flush or a compaction uses up.
        const ballast nearly_all(random() % 2 ? 4096 * (random() % 8) : random() % (1 << 20));
        for (int n = 0; n < 40 && refused < 10; ++n) refused += run(s, work, twin, 25);
        REQUIRE(twin.settle(dump(*s.log)) == "");  // reading goes on
        if (times == 1) {
          // A start on a full disk is refused or succeeds, and loses nothing.
          s.log.reset();
          twin.reopened();
          const auto opened = s.open();
          if (!opened) CHECK(opened.error().code == codes::storage_full);
          work = storm(random(), 3000);
        }
      }
      rounds_full += refused > 0;
      if (!s.log) REQUIRE_FALSE(s.open().has_error());
      REQUIRE(run(s, work, twin, 20) == 0);
      REQUIRE(twin.settle(dump(*s.log)) == "");
    }
    CHECK(s.fatal == 0);
    s.log.reset();
    REQUIRE_FALSE(s.open().has_error());
    REQUIRE(twin.settle(dump(*s.log)) == "");
  }
  CHECK(rounds_full > 6);
}

TEST_CASE("full disk: sessions that are deleted or reset give back what filled it") {
  std::uint64_t reserve = 2 << 20;
  bool resets = false, restarts = false;
  SUBCASE("while it runs") {}
  SUBCASE("without a reserve") {
    reserve = 0;
  }
  SUBCASE("after a start on the full disk") {
    restarts = true;
  }
  SUBCASE("by a reset") {
    resets = true;
  }
  small_store s("deleted", reserve);
  s.seams.env = rocksdb::Env::Default();  // the other one keeps what is deleted
  s.options.event_bytes_max = 400'000;
  s.seams.wal_bytes = 4 << 20;  // the disk never has room for two of it again by itself
  s.seams.reclaim_after = std::chrono::milliseconds(0);
  s.seams.reclaim_rest = 0;
  REQUIRE_FALSE(s.open().has_error());
  std::mt19937_64 random(3);
  std::array<std::uint64_t, 3> seqs{};
  const auto key = [](std::size_t n) {
    return session_key{tenant_id("t"), session_id(std::string(1, static_cast<char>('a' + n)))};
  };
  int refused = 0;
  for (std::size_t n = 0; refused < 5; ++n) {
    REQUIRE(n < 300);
    auto op = one_event(seqs[n % 3], 300'000);
    op.key = key(n % 3);
    for (auto& c : op.events[0].json) c = static_cast<char>(random());
    const auto done = s.log->commit(std::span(&op, 1))[0];
    if (!done) REQUIRE_MESSAGE(done.error().code == codes::storage_full, done.error().detail);
    done ? seqs[n % 3] = *done : static_cast<std::uint64_t>(++refused);
  }
  REQUIRE(free_bytes() < 2 * s.seams.wal_bytes);
  if (restarts) {
    s.log.reset();
    const auto opened = s.open();
    REQUIRE_MESSAGE(opened.has_value(), opened.error().detail);
  }
  for (std::size_t n = 0; n < 3; ++n) {
    auto op = one_event(seqs[n], 10);
    op.key = key(n);
    if (resets)
      op.first_seq = seqs[n] + 1;
    else
      op.remove = true;
    const auto done = s.log->commit(std::span(&op, 1))[0];
    REQUIRE_MESSAGE(done.has_value(), done.error().detail);
  }
  const auto store_bytes = [&] {
    std::uint64_t bytes = 0;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(s.options.data_dir + "/store", ec)) {
      const auto kind = entry.path().extension();  // the rest is the same however much is kept
      const auto size = kind == ".sst" || kind == ".log" ? entry.file_size(ec) : 0;
      if (!ec) bytes += size;
    }
    return bytes;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (store_bytes() > (1 << 20) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  CHECK(store_bytes() < (1 << 20));
  auto op = one_event(0, 300'000);
  op.key.session.value = "new";
  CHECK(s.log->commit(std::span(&op, 1))[0].has_value());
  CHECK(s.fatal == 0);
  s.log.reset();
  REQUIRE_FALSE(s.open().has_error());
  for (std::size_t n = 0; n < 3; ++n) {
    const auto head = s.log->head(key(n));
    REQUIRE(head.has_value() == resets);
    if (resets) CHECK(head->first_seq == seqs[n] + 1);
  }
}

int main(int argc, char** argv) {
  const soma::testing::temp_folder folder;
  disk = folder.path().string();
  // As root a mount namespace will do; anybody else needs a user namespace around it.
  const bool apart = unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
  if (!apart || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("none", disk.c_str(), "tmpfs", 0, "size=24m,mode=700") != 0) {
    std::printf("skipped: a tmpfs cannot be mounted here: %s\n", std::strerror(errno));
    return skipped;
  }
  doctest::Context context(argc, argv);
  const int status = context.run();
  umount(disk.c_str());
  return status;
}
