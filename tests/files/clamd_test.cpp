// The protocol, against a stand-in for clamd. tests/integration/clamd_test.py asks the real one.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <thread>

#include "files/scanner.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::files;

namespace {

bool read_exactly(int from, void* to, std::size_t size) {
  auto* at = static_cast<char*>(to);
  while (size > 0) {
    const auto got = ::recv(from, at, size, 0);
    if (got <= 0) return false;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

// Takes one connection, reads a stream as clamd does, and answers what `reply` makes of it.
class stand_in {
 public:
  stand_in(const std::string& path, std::function<std::string(const std::string&)> reply)
      : listener_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 1) == 0);
    thread_ = std::thread([this, reply = std::move(reply)] {
      const int peer = ::accept(listener_, nullptr, nullptr);
      char command[10];
      std::string bytes;
      if (read_exactly(peer, command, sizeof command) &&
          std::memcmp(command, "zINSTREAM", sizeof command) == 0)
        for (std::uint32_t size = 1; size > 0;) {
          if (!read_exactly(peer, &size, 4)) break;
          size = ntohl(size);
          std::string piece(size, '\0');
          if (!read_exactly(peer, piece.data(), size)) break;
          bytes += piece;
        }
      const auto said = reply(bytes);
      if (!said.empty()) (void)::send(peer, said.data(), said.size(), MSG_NOSIGNAL);
      ::close(peer);
    });
  }
  ~stand_in() {
    thread_.join();
    ::close(listener_);
  }

 private:
  int listener_;
  std::thread thread_;
};

scan_result scanned(const std::string& bytes,
                    std::function<std::string(const std::string&)> reply) {
  testing::temp_folder folder;
  const auto socket = folder / "clamd.sock";
  std::ofstream(folder / "file", std::ios::binary) << bytes;
  const stand_in peer(socket, std::move(reply));
  return make_clamd_scanner({socket, 2000})->scan(folder / "file");
}

std::string answer(std::string text) {
  return std::move(text) + '\0';
}

}  // namespace

TEST_CASE("clamd: it gets every byte of the file and its word is believed") {
  const std::string bytes(300'000, 'x');
  std::string got;
  const auto clean = scanned(bytes, [&](const std::string& all) {
    got = all;
    return answer("stream: OK");
  });
  CHECK(got == bytes);
  CHECK(clean.what == verdict::clean);
  const auto found = scanned("x", [](auto&) { return answer("stream: Eicar-Test FOUND"); });
  CHECK(found.what == verdict::harmful);
  CHECK(found.reason == "Eicar-Test");
}

TEST_CASE("clamd: what is no clear word leaves the file undecided") {
  for (const auto* said : {"", "stream: OK, perhaps", "INSTREAM size limit exceeded. ERROR",
                           "stream: OK\nmore", "nothing FOUND"}) {
    CAPTURE(said);
    CHECK(scanned("x", [&](auto&) { return answer(said); }).what == verdict::undecided);
  }
  CHECK(scanned("x", [](auto&) { return std::string(); }).what == verdict::undecided);
  const auto nobody = make_clamd_scanner({"/nonexistent/clamd.sock", 100})->scan("/dev/null");
  CHECK(nobody.what == verdict::undecided);
}
