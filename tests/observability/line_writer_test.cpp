#include "observability/line_writer.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <vector>

using namespace soma;
using namespace std::chrono_literals;

namespace {

std::string dropped_line(std::uint64_t count) {
  return "dropped " + std::to_string(count);
}

// Takes lines once it is opened; refuses as many tries as it is told.
struct gate {
  std::promise<void> inside, go;
  std::atomic<bool> first{true};
  std::vector<std::string> lines;
};

}  // namespace

TEST_CASE("lines: who writes never waits, and what has no room is dropped, counted and told") {
  gate g;
  line_writer::options how;
  how.sink = [&](std::string_view line) {
    if (g.first.exchange(false)) {
      g.inside.set_value();
      g.go.get_future().wait();
    }
    g.lines.emplace_back(line);
    return true;
  };
  how.dropped_line = dropped_line;
  how.bytes_max = 100;
  line_writer writer(std::move(how));
  CHECK(writer.write("first"));
  g.inside.get_future().wait();  // nobody reads: the thread stands in its write
  for (int n = 0; n < 10; ++n) CHECK(writer.write("123456789"));  // ten bytes with its end
  CHECK_FALSE(writer.write("no room"));
  CHECK_FALSE(writer.write("no room"));
  CHECK(writer.dropped() == 2);
  CHECK(writer.waiting() == 11);
  CHECK_FALSE(writer.flush(0ms));
  g.go.set_value();
  REQUIRE(writer.flush(60s));
  REQUIRE(g.lines.size() == 12);
  CHECK(g.lines.front() == "first\n");
  CHECK(g.lines.back() == "dropped 2\n");
  CHECK(writer.waiting() == 0);
}

TEST_CASE("lines: what waits is written at once, as whole lines up to a bound") {
  gate g;
  line_writer::options how;
  how.sink = [&](std::string_view line) {
    if (g.first.exchange(false)) {
      g.inside.set_value();
      g.go.get_future().wait();
    }
    g.lines.emplace_back(line);
    return true;
  };
  how.dropped_line = dropped_line;
  how.gathered_bytes_max = 25;
  line_writer writer(std::move(how));
  CHECK(writer.write("first"));
  g.inside.get_future().wait();
  for (int n = 0; n < 5; ++n) CHECK(writer.write("123456789"));
  CHECK(writer.write(std::string(30, 'x')));  // longer than is gathered: by itself
  CHECK(writer.write("last"));
  g.go.set_value();
  REQUIRE(writer.flush(60s));
  const std::string two = "123456789\n123456789\n";
  CHECK(g.lines == std::vector<std::string>{"first\n", two, two, "123456789\n",
                                            std::string(30, 'x') + "\n", "last\n"});
}

TEST_CASE("lines: one that was not written is tried again, in its place") {
  std::vector<std::string> written;
  int refusals = 3;
  line_writer::options how;
  how.sink = [&](std::string_view line) {
    if (refusals-- > 0) return false;
    written.emplace_back(line);
    return true;
  };
  how.dropped_line = dropped_line;
  how.tried_again_after = 1ms;
  line_writer writer(std::move(how));
  CHECK(writer.write("a"));
  CHECK(writer.write("b"));
  REQUIRE(writer.flush(60s));
  CHECK(written == std::vector<std::string>{"a\n", "b\n"});
}

TEST_CASE("lines: a pipe that takes less at once gets all of a line") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  const std::string sent(100'000, 'x');
  auto writing = std::async(std::launch::async, [&] {
    std::size_t written = 0;
    const bool done = write_all(ends[1], sent, written);
    ::close(ends[1]);
    return done && written == sent.size();
  });
  std::string got(200'000, ' ');
  std::size_t at = 0;
  for (ssize_t n = 0; (n = ::read(ends[0], got.data() + at, got.size() - at)) > 0;)
    at += static_cast<std::size_t>(n);
  ::close(ends[0]);
  CHECK(writing.get());
  CHECK(got.substr(0, at) == sent);
}

TEST_CASE(
    "lines: what is taken up and not written yet counts as waiting, and a line is never cut") {
  gate g;
  line_writer::options how;
  how.sink = [&](std::string_view lines) {
    if (g.first.exchange(false)) {
      g.inside.set_value();
      g.go.get_future().wait();
    }
    g.lines.emplace_back(lines);
    return true;
  };
  how.dropped_line = dropped_line;
  how.bytes_max = 60;
  how.gathered_bytes_max = 20;
  line_writer writer(std::move(how));
  CHECK(writer.write("first"));
  g.inside.get_future().wait();
  for (int n = 0; n < 3; ++n) CHECK(writer.write("line\nof two", "7"));  // 13 bytes each
  CHECK(writer.waiting() == 4);
  CHECK(writer.waiting_bytes() == 39);
  CHECK(writer.write("", "a front alone"));
  CHECK_FALSE(writer.write("no room"));
  g.go.set_value();
  REQUIRE(writer.flush(60s));
  const std::vector<std::string> wanted{"first\n",         "7line\nof two\n", "7line\nof two\n",
                                        "7line\nof two\n", "a front alone\n", "dropped 1\n"};
  CHECK(g.lines == wanted);
  CHECK(writer.waiting() == 0);
  CHECK(writer.waiting_bytes() == 0);
}
