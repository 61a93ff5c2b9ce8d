// clamd's INSTREAM (man clamd): "zINSTREAM\0", then chunks of a length in network order and that
// many bytes, ended by a length of zero; the answer is "stream: OK", "stream: NAME FOUND" or an
// error, ended by a zero byte.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/file_kind.hpp"
#include "files/scanner.hpp"

namespace soma::files {
namespace {

constexpr std::size_t chunk_bytes = 64 * 1024;
constexpr std::size_t answer_bytes_max = 4096;

class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

scan_result undecided(std::string what) {
  return {verdict::undecided, std::move(what)};
}
scan_result failed(std::string_view what) {
  return undecided(std::string(what) + ": " + std::generic_category().message(errno));
}

bool send_all(int to, const char* bytes, std::size_t size) {
  while (size > 0) {
    const auto sent = ::send(to, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

std::string read_answer(int from) {
  std::string answer;
  char piece[512];
  while (answer.size() < answer_bytes_max) {
    const auto got = ::recv(from, piece, sizeof piece, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    answer.append(piece, static_cast<std::size_t>(got));
    if (const auto end = answer.find('\0'); end != std::string::npos) {
      answer.resize(end);
      break;
    }
  }
  return answer;
}

scan_result judge(std::string_view answer) {
  constexpr std::string_view prefix = "stream: ", found = " FOUND";
  if (answer == "stream: OK") return {verdict::clean, {}};
  if (answer.starts_with(prefix) && answer.ends_with(found)) {
    answer.remove_prefix(prefix.size());
    answer.remove_suffix(found.size());
    return {verdict::harmful, std::string(answer)};
  }
  return undecided(answer.empty() ? "clamd gave no answer"
                                  : "clamd: " + std::string(answer.substr(0, 200)));
}

class clamd_scanner final : public scanner {
 public:
  explicit clamd_scanner(clamd_options options) : options_(std::move(options)) {}

  scan_result scan(const std::string& path) override {
    const descriptor file(open_without_waiting(path.c_str(), O_RDONLY));
    if (!file.valid() || !kind_if_no_file(file.get()).empty())
      return failed("the file cannot be read");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (options_.socket.size() >= sizeof address.sun_path)
      return undecided("the path of clamd's socket is too long");
    std::memcpy(address.sun_path, options_.socket.c_str(), options_.socket.size() + 1);
    const descriptor peer(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!peer.valid()) return failed("no socket");
    const timeval wait{options_.timeout_ms / 1000, options_.timeout_ms % 1000 * 1000};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    ::setsockopt(peer.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (::connect(peer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return failed("clamd cannot be reached");
    return send_file(file.get(), peer.get());
  }

 private:
  static scan_result send_file(int file, int peer) {
    constexpr char command[] = "zINSTREAM";  // with its zero byte
    bool taken = send_all(peer, command, sizeof command);
    std::string chunk(4 + chunk_bytes, '\0');
    for (bool end = false; taken && !end;) {
      const auto got = ::read(file, chunk.data() + 4, chunk_bytes);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed("the file cannot be read");
      end = got == 0;
      const auto size = htonl(static_cast<std::uint32_t>(got));
      std::memcpy(chunk.data(), &size, 4);
      taken = send_all(peer, chunk.data(), 4 + static_cast<std::size_t>(got));
    }
    // It stops reading when a stream is longer than it takes, and says so.
    return judge(read_answer(peer));
  }

  const clamd_options options_;
};

}  // namespace

std::unique_ptr<scanner> make_clamd_scanner(clamd_options options) {
  return std::make_unique<clamd_scanner>(std::move(options));
}

}  // namespace soma::files
