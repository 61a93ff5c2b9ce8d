#include "node/signals.hpp"

#include <ctime>

namespace soma {

signals::signals() {
  sigemptyset(&taken_);
  for (const int one : {SIGINT, SIGTERM, SIGQUIT, SIGHUP}) sigaddset(&taken_, one);
  pthread_sigmask(SIG_BLOCK, &taken_, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit of a file's size is then an error of the write
}

signal_said signals::wait() const {
  const timespec second{1, 0};
  const auto taken = sigtimedwait(&taken_, nullptr, &second);
  if (taken <= 0) return signal_said::nothing;
  // Of a closed terminal it is the end; else whoever rotates files sends it.
  return taken == SIGHUP && !terminal_.hung_up() ? signal_said::take_up_files : signal_said::end;
}

}  // namespace soma
