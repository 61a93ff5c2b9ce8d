// Port: how a question reaches somebody outside this process. Implemented over the house's HTTP
// client (node/policy.cpp) and scripted in tests.
//
// Thread-safe; does not block, but for `stop`. `done` is called once, on a thread of the wire or
// before `post` returns; it does not block either.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace soma::security {

struct wire_answer {
  int status = 0;  // 0: there is none
  std::string body;
  std::string why;  // there is none, in a sentence
};

class policy_wire {
 public:
  virtual ~policy_wire() = default;
  virtual void post(std::string path, std::string json, std::int64_t deadline_ms,
                    std::function<void(wire_answer)> done) = 0;
  // Calls under way, and later ones, are answered with why. After it returns nothing is called but
  // by `post` itself.
  virtual void stop() = 0;
};

}  // namespace soma::security
