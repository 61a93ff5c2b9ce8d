// A step of work under a trace, and where it goes when it is over. Nothing is exported yet: a node
// without a sink makes no span.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace soma {

struct span {
  std::string_view trace_id;   // 32 hexadecimal digits
  std::string_view span_id;    // 16
  std::string_view parent_id;  // 16; empty: none is known
  std::string_view name;       // of an operation: its id
  std::chrono::system_clock::time_point started_at;
  std::chrono::steady_clock::duration took{};
  bool failed = false;
};

// Called where the work is done, on hot threads too: must not block, and keeps what it needs.
class span_sink {
 public:
  virtual ~span_sink() = default;
  virtual void ended(const span& s) = 0;
};

}  // namespace soma
