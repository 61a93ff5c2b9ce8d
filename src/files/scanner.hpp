// Port: who says whether a file does harm. Behind it: ClamAV's clamd, over its unix socket.
//
// Thread-safe; blocks until the file is judged or the scanner's time is up.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace soma::files {

enum class verdict : std::uint8_t {
  clean,
  harmful,
  undecided,  // the scanner cannot be reached, or would not look: asked again later
};

struct scan_result {
  verdict what = verdict::undecided;
  std::string reason;  // the signature's name, or what failed; for the log
};

class scanner {
 public:
  virtual ~scanner() = default;
  virtual scan_result scan(const std::string& path) = 0;
};

struct clamd_options {
  std::string socket;       // path
  int timeout_ms = 60'000;  // of each wait for the socket
};

// Sends the bytes (INSTREAM), so that clamd need not be able to read the file itself.
std::unique_ptr<scanner> make_clamd_scanner(clamd_options options);

}  // namespace soma::files
