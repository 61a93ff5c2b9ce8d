#include "core/may_block.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

using namespace soma;

namespace {

// Whether a process that does so is ended by an assertion.
bool aborts(const std::function<void()>& work) {
  const auto child = ::fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // doctest would report it as this test's
    ::dup2(::open("/dev/null", O_WRONLY), 2);
    work();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#ifdef NDEBUG
constexpr bool checked = false;
#else
constexpr bool checked = true;
#endif

}  // namespace

TEST_CASE("may block: a thread that must not wait takes no lock that is held over the disk") {
  disk_mutex slow;
  shared_disk_mutex shared;
  CHECK(aborts([&] {
          this_thread_must_not_block();
          const std::lock_guard lock(slow);
        }) == checked);
  CHECK(aborts([&] {
          this_thread_must_not_block();
          const std::shared_lock lock(shared);
        }) == checked);
  CHECK(!aborts([&] {
    this_thread_must_not_block();
    this_thread_may_block();
    const std::lock_guard lock(slow);
    const std::unique_lock alone(shared);
  }));
}

TEST_CASE(
    "may block: who holds a quick lock does not go to the disk, and may once it is given back") {
  quick_mutex quick;
  disk_mutex slow;
  CHECK(aborts([&] {
          const std::lock_guard held(quick);
          expect_may_block("a file");
        }) == checked);
  CHECK(aborts([&] {
          REQUIRE(quick.try_lock());
          const std::lock_guard lock(slow);
        }) == checked);
  CHECK(!aborts([&] {
    { const std::lock_guard held(quick); }
    expect_may_block("a file");
    const std::lock_guard lock(slow);
    const std::lock_guard within(quick);
  }));
}
