#include "node/sign_in_door.hpp"

#include <sys/socket.h>

#include "core/codes.hpp"

namespace soma {
namespace {

constexpr const char* socket_name = "signin.sock";
constexpr timeval patience{5, 0};

}  // namespace

result<std::unique_ptr<local_door>> open_sign_in_door(const std::string& data_dir,
                                                      std::function<std::string()> make_link) {
  return local_door::open(data_dir, socket_name, false,
                          [make_link = std::move(make_link)](const auto&, const tell_peer& tell) {
                            tell(make_link() + "\n");
                          });
}

result<std::string> ask_for_sign_in_link(const std::string& data_dir) {
  const auto peer = connect_to_local_door(data_dir, socket_name);
  if (!peer) return peer.error();
  setsockopt(peer->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::string link;
  if (!line_source(peer->get()).next(link))
    return error(codes::storage_unavailable,
                 "the server gives its links to its own user and to root alone");
  return link;
}

}  // namespace soma
