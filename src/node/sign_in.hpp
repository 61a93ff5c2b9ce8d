// How whoever runs the server hears that it serves and gets in: what a start says, and the door in
// the data folder afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/config.hpp"
#include "node/identities.hpp"
#include "node/sign_in_door.hpp"

namespace soma {

// Says in the log that the server has started, and how many sessions it takes up again; on standard
// output where the page is, with a link to sign in where that is for whoever reads it. Then opens
// the door: without one (null, with a line of the log) the server runs all the same, and
// `soma signin` says that there is none. `who` outlives the door.
std::unique_ptr<local_door> announce(const config& settings, std::uint16_t port,
                                     std::size_t recovering, node_identities& who);

}  // namespace soma
