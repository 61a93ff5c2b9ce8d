#include "node/process_start.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <system_error>

namespace soma {
namespace {

std::atomic<bool> started = false;

std::string what_was_thrown() {
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    return "there is not enough memory (ulimit -v, or a memory limit around the process)";
  } catch (const std::system_error& e) {
    if (e.code() == std::errc::resource_unavailable_try_again)
      return "a thread cannot be started: the system, ulimit -u or a limit of memory allows no "
             "more";
    return e.what();
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
  }
  return "an exception that is none of the standard library's";
}

}  // namespace

void open_standard_files() {
  for (const int one : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(one, F_GETFD) < 0 && errno == EBADF) (void)!::open("/dev/null", O_RDWR);
}

void end_with_a_sentence() {
  std::fprintf(stderr, "soma: %s\n", what_was_thrown().c_str());
  if (!started) _exit(1);
  std::abort();
}

void note_started() {
  started = true;
}

}  // namespace soma
