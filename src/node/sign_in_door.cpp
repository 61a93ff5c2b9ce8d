#include "node/sign_in_door.hpp"

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
#include "tools/sandbox/descriptors.hpp"

namespace soma {
namespace {

using tools::descriptor;

constexpr const char* socket_name = "signin.sock";
constexpr int ask_timeout_s = 5;
constexpr std::size_t link_bytes_max = 4096;

error unavailable(std::string why) {
  return {codes::storage_unavailable, std::move(why)};
}

// By way of the folder's descriptor, since the path of a socket has room for 107 bytes alone.
sockaddr_un address_in(int folder) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::snprintf(to.sun_path, sizeof to.sun_path, "/proc/self/fd/%d/%s", folder, socket_name);
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

class door final : public sign_in_door {
 public:
  door(descriptor folder, descriptor listening, descriptor wake,
       std::function<std::string()> make_link)
      : folder_(std::move(folder)),
        listening_(std::move(listening)),
        wake_(std::move(wake)),
        make_link_(std::move(make_link)),
        thread_([this] { run(); }) {}
  ~door() override {
    const std::uint64_t one = 1;
    (void)!write(wake_.get(), &one, sizeof one);
    thread_.join();
    unlinkat(folder_.get(), socket_name, 0);
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
      if (!is_ours(peer.get())) continue;
      const auto line = make_link_() + "\n";
      (void)!send(peer.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  }

  const descriptor folder_, listening_, wake_;
  const std::function<std::string()> make_link_;
  std::thread thread_;
};

}  // namespace

result<std::unique_ptr<sign_in_door>> sign_in_door::open(const std::string& data_dir,
                                                         std::function<std::string()> make_link) {
  const auto failed = [] {
    return unavailable(std::string("no socket for sign-in links: ") + std::strerror(errno));
  };
  auto folder = folder_of(data_dir);
  if (!folder) return failed();
  auto listening = new_socket();
  descriptor wake(eventfd(0, EFD_CLOEXEC));
  if (!listening || !wake) return failed();
  // What a killed server left; the store's lock says that there is no other.
  unlinkat(folder.get(), socket_name, 0);
  const auto to = address_in(folder.get());
  // The mode that a socket is made with is what its descriptor has.
  if (fchmod(listening.get(), 0600) != 0 ||
      bind(listening.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 ||
      listen(listening.get(), 8) != 0)
    return failed();
  return std::unique_ptr<sign_in_door>(std::make_unique<door>(
      std::move(folder), std::move(listening), std::move(wake), std::move(make_link)));
}

result<std::string> ask_for_sign_in_link(const std::string& data_dir) {
  const auto folder = folder_of(data_dir);
  if (!folder) return unavailable("there is no folder " + data_dir);
  const auto peer = new_socket();
  const timeval patience{ask_timeout_s, 0};
  if (!peer || setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
    return unavailable("there are no file descriptors left");
  const auto to = address_in(folder.get());
  if (connect(peer.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    return unavailable(errno == EACCES || errno == EPERM
                           ? "the server whose data is in " + data_dir + " runs as another user"
                           : "no server runs whose data is in " + data_dir +
                                 " (name its folder: --data-dir)");
  std::string link;
  char buffer[512];
  for (ssize_t n; link.size() < link_bytes_max && link.find('\n') == link.npos &&
                  (n = read(peer.get(), buffer, sizeof buffer)) > 0;)
    link.append(buffer, static_cast<std::size_t>(n));
  if (link.find('\n') == link.npos)
    return unavailable("the server gives its links to its own user and to root alone");
  link.resize(link.find('\n'));
  return link;
}

}  // namespace soma
