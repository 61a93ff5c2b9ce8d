// The Durable Streams server (Rust, crate durable-streams): an HTTP log of one's own a stream, each
// POST answered once it is in its synced write-ahead log, which is its default.
#pragma once

#include "peers/stream_server.hpp"

namespace soma::bench {

// Nothing where ./dev bench could not install it into `components`.
std::unique_ptr<stream_server> start_durable_streams(const std::filesystem::path& components,
                                                     const std::filesystem::path& folder);

// For the note of a run without it.
inline constexpr const char* durable_streams_missing =
    "the Durable Streams server is not installed, so it was not measured";

}  // namespace soma::bench
