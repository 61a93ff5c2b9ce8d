// A bounded piece of a session's log as frames, for a reader that is behind the feed's ring:
// nothing is held in the store between two pieces.
#pragma once

#include <cstdint>
#include <string>

#include "app/log_reader.hpp"
#include "core/ids.hpp"

namespace soma::http {

struct chunk_request {
  session_key key;
  std::uint64_t after_seq = 0;
  std::uint64_t head_seq = 0;  // published already, so the log must reach it; 0: not known
  std::uint32_t types = 0;     // as in app::read_options
  bool compact = false;
  bool chunked = true;                 // each frame as a chunk
  std::size_t bytes_max = 256 * 1024;  // of events; one event may pass it
};

struct log_chunk {
  enum class outcome {
    frames,   // bytes, possibly none, and everything up to reached_seq is dealt with
    reset,    // a reset deleted what comes after after_seq
    deleted,  // the session is gone
    gap,      // events are missing that nothing allows to be missing: a defect
    failed,   // the store cannot be read
  };
  outcome what = outcome::failed;
  std::string bytes;
  std::uint64_t frames = 0;
  std::uint64_t reached_seq = 0;
  bool closes = false;  // the last frame is session.close
  bool at_end = false;  // reached_seq was the log's head, below are its marks
  std::uint64_t first_seq = 1;
};

// Reads one chunk on the calling thread, which blocks on the store. A hole in the log is legal
// where the filter leaves events out, and below the compaction mark, where retention trims.
log_chunk read_chunk(const app::log_reader& log, const chunk_request& request);

}  // namespace soma::http
