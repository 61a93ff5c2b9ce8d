// soma-egress DESCRIPTOR PORT PROGRAM ARGUMENT…: the first program of a run that may reach some
// hosts. It listens on the sandbox's own loopback, hands the listening socket to the server, which
// takes the connections from there, and becomes the program. A socket belongs to the network that
// it was made in: so the server reaches into a sandbox that it cannot enter.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr int waiting_max = 64;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "soma-egress: %s: %s\n", what, std::strerror(errno));
  std::exit(126);
}

int listening(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  here.sin_port = htons(static_cast<std::uint16_t>(port));
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&here), sizeof here) != 0 ||
      listen(fd, waiting_max) != 0)
    fail("cannot listen on the sandbox's loopback");
  return fd;
}

void hand_over(int door, int fd) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char room[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = room;
  message.msg_controllen = sizeof room;
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  if (sendmsg(door, &message, MSG_NOSIGNAL) != 1) fail("the server does not take the socket");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return std::fputs("soma-egress DESCRIPTOR PORT PROGRAM [ARGUMENT…]\n", stderr), 126;
  const int door = std::atoi(argv[1]);
  const int fd = listening(std::atoi(argv[2]));
  hand_over(door, fd);
  char answer = 0;  // before it the program might find nobody behind the port
  if (read(door, &answer, 1) != 1) fail("the server does not answer");
  close(door);
  close(fd);
  execv(argv[3], argv + 3);
  fail(argv[3]);
}
