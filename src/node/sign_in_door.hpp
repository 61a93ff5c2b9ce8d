// How whoever runs the server gets a sign-in link at any time: a socket `signin.sock` in the data
// folder, at which the running server gives a fresh link to processes of its own user and of root.
// Whoever may read that folder could read the server's key as well.
// See docs/decisions/0135-a-sign-in-link-from-the-running-server.md.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/error.hpp"

namespace soma {

class sign_in_door {
 public:
  // `make_link` is called on the door's own thread. Error: storage.unavailable, with the reason;
  // then there is no door.
  static result<std::unique_ptr<sign_in_door>> open(const std::string& data_dir,
                                                    std::function<std::string()> make_link);
  virtual ~sign_in_door() = default;  // closes it
};

// Asks the server whose data folder this is. Blocks up to some seconds. Error:
// storage.unavailable, in a sentence.
result<std::string> ask_for_sign_in_link(const std::string& data_dir);

}  // namespace soma
