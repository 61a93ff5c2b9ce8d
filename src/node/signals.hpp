// The signals that the process takes. They are taken by the main thread alone, so that no thread is
// interrupted at its work.
//
// Made before any other thread; `wait` is for the thread that made it.
#pragma once

#include <csignal>

#include "cli/terminal.hpp"

namespace soma {

enum class signal_said { nothing, take_up_files, end };

class signals {
 public:
  signals();

  // Waits for one, at most a second.
  signal_said wait() const;

 private:
  sigset_t taken_;
  const input_terminal terminal_;
};

}  // namespace soma
