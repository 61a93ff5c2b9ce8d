// How whoever runs the server gets a sign-in link at any time: at the socket `signin.sock`
// (local_door.hpp) the running server gives a fresh one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/error.hpp"
#include "node/local_door.hpp"

namespace soma {

// `make_link` is called on the door's own thread. Error: storage.unavailable, with the reason.
result<std::unique_ptr<local_door>> open_sign_in_door(const std::string& data_dir,
                                                      std::function<std::string()> make_link);

// Asks the server whose data folder this is. Blocks up to some seconds. Error:
// storage.unavailable, in a sentence.
result<std::string> ask_for_sign_in_link(const std::string& data_dir);

}  // namespace soma
