// Sockets in the data folder, at which the running server answers processes of its own user and of
// root: whoever may read that folder could read the server's key as well.
//
// A process connects, sends one line, and reads what it is told until the end. See
// docs/decisions/0135-a-sign-in-link-from-the-running-server.md.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "tools/sandbox/descriptors.hpp"

namespace soma {

// Tells who asked something; false where he is gone.
using tell_peer = std::function<bool(std::string_view)>;

class local_door {
 public:
  // `answer` is called with each line that is asked, on the door's own thread, one after another.
  // `asks`: whether a line is waited for, for some seconds; else it is empty. Error:
  // storage.unavailable, with the reason; then there is no door.
  static result<std::unique_ptr<local_door>> open(
      const std::string& data_dir, const std::string& socket_name, bool asks,
      std::function<void(const std::string& line, const tell_peer& tell)> answer);
  virtual ~local_door() = default;  // closes it, once what is being answered is
};

// Connects to the server whose data folder this is. Error: storage.unavailable, in a sentence.
result<tools::descriptor> connect_to_local_door(const std::string& data_dir,
                                                const std::string& socket_name);

// Lines from a socket, each without its end and of bounded length; false at the end of them.
class line_source {
 public:
  explicit line_source(int from) : from_(from) {}
  bool next(std::string& line);

 private:
  static constexpr std::size_t line_max = 8192;
  const int from_;
  std::string read_;
};

}  // namespace soma
