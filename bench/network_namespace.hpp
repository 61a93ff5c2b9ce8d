// A network of one's own, with nothing in it but loopback: for peers that listen on every address
// and shall be reached by nobody else.
#pragma once

#include "socket.hpp"

namespace soma::bench {

// While it lives, this process and the children it starts have such a network. One at a time, from
// the main thread, with no socket open that is to be used in it.
class network_namespace {
 public:
  network_namespace();
  ~network_namespace();
  network_namespace(const network_namespace&) = delete;
  network_namespace& operator=(const network_namespace&) = delete;

  // False where the system does not permit it (it wants to be root): all is as before then.
  bool entered() const { return static_cast<bool>(before_); }

 private:
  unique_fd before_;
};

}  // namespace soma::bench
