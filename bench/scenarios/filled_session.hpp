// A session with many events, for what reads or folds it again.
#pragma once

#include "options.hpp"
#include "peers/soma.hpp"

namespace soma::bench {

// Appends `events` events to it over the API; throws where one is refused.
void fill_session(const options& o, const soma_server& soma, const std::string& session,
                  std::size_t events);

}  // namespace soma::bench
