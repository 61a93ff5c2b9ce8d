#include "node/local_door.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "core/codes.hpp"

namespace soma {
namespace {

using tools::descriptor;

constexpr timeval patience{5, 0};  // with who connects and does not ask, or does not read

error unavailable(std::string why) {
  return {codes::storage_unavailable, std::move(why)};
}

// By way of the folder's descriptor, since the path of a socket has room for 107 bytes alone.
sockaddr_un address_in(int folder, const std::string& name) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::snprintf(to.sun_path, sizeof to.sun_path, "/proc/self/fd/%d/%s", folder, name.c_str());
  return to;
}

descriptor folder_of(const std::string& data_dir) {
  return descriptor(::open(data_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

descriptor new_socket() {
  return descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

bool is_ours(int peer) {
  ucred who{};
  socklen_t size = sizeof who;
  return getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && size == sizeof who &&
         (who.uid == geteuid() || who.uid == 0);
}

bool send_all(int peer, std::string_view text) {
  while (!text.empty()) {
    const auto n = send(peer, text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

class door final : public local_door {
 public:
  door(descriptor folder, descriptor listening, descriptor wake, std::string name, bool asks,
       std::function<void(const std::string&, const tell_peer&)> answer)
      : folder_(std::move(folder)),
        listening_(std::move(listening)),
        wake_(std::move(wake)),
        name_(std::move(name)),
        asks_(asks),
        answer_(std::move(answer)),
        thread_([this] { run(); }) {}
  ~door() override {
    const std::uint64_t one = 1;
    (void)!write(wake_.get(), &one, sizeof one);
    thread_.join();
    unlinkat(folder_.get(), name_.c_str(), 0);
  }

 private:
  void run() {
    for (;;) {
      pollfd both[] = {{listening_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
      if (poll(both, 2, -1) < 0 && errno != EINTR) return;
      if (both[1].revents != 0) return;
      if (both[0].revents == 0) continue;
      const descriptor peer(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) {  // out of descriptors: who waits stays ready
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        continue;
      }
      if (is_ours(peer.get())) serve(peer.get());
    }
  }

  void serve(int peer) {
    setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    std::string line;
    if (asks_ && !line_source(peer).next(line)) return;
    answer_(line, [peer](std::string_view text) { return send_all(peer, text); });
  }

  const descriptor folder_, listening_, wake_;
  const std::string name_;
  const bool asks_;
  const std::function<void(const std::string&, const tell_peer&)> answer_;
  std::thread thread_;
};

}  // namespace

bool line_source::next(std::string& line) {
  for (;;) {
    if (const auto end = read_.find('\n'); end != read_.npos) {
      line = read_.substr(0, end);
      read_.erase(0, end + 1);
      return true;
    }
    if (read_.size() > line_max) return false;
    char buffer[512];
    const auto n = read(from_, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    read_.append(buffer, static_cast<std::size_t>(n));
  }
}

result<std::unique_ptr<local_door>> local_door::open(
    const std::string& data_dir, const std::string& socket_name, bool asks,
    std::function<void(const std::string&, const tell_peer&)> answer) {
  const auto failed = [&] {
    return unavailable("no socket " + socket_name + ": " + std::strerror(errno));
  };
  auto folder = folder_of(data_dir);
  if (!folder) return failed();
  auto listening = new_socket();
  descriptor wake(eventfd(0, EFD_CLOEXEC));
  if (!listening || !wake) return failed();
  // What a killed server left; the store's lock says that there is no other.
  unlinkat(folder.get(), socket_name.c_str(), 0);
  const auto to = address_in(folder.get(), socket_name);
  // The mode that a socket is made with is what its descriptor has.
  if (fchmod(listening.get(), 0600) != 0 ||
      bind(listening.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 ||
      listen(listening.get(), 8) != 0)
    return failed();
  return std::unique_ptr<local_door>(std::make_unique<door>(std::move(folder), std::move(listening),
                                                            std::move(wake), socket_name, asks,
                                                            std::move(answer)));
}

result<descriptor> connect_to_local_door(const std::string& data_dir,
                                         const std::string& socket_name) {
  const auto folder = folder_of(data_dir);
  if (!folder) return unavailable("there is no folder " + data_dir);
  auto peer = new_socket();
  if (!peer) return unavailable("there are no file descriptors left");
  const auto to = address_in(folder.get(), socket_name);
  if (connect(peer.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    return unavailable(errno == EACCES || errno == EPERM
                           ? "the server whose data is in " + data_dir + " runs as another user"
                           : "no server runs whose data is in " + data_dir +
                                 " (name its folder: --data-dir)");
  return peer;
}

}  // namespace soma
