// How a door says what a request is known again by, and how a use case says that its answer is an
// earlier one. Values.
#pragma once

#include <utility>

#include "app/idempotency.hpp"

namespace soma::app {

// What the request is known by as it came: its key, the operation, the path's id and the body. A
// use case that knows better what another request differs in says so.
using once_key = idempotency_gate::asked;

template <class Answer>
struct answered {
  answered() = default;
  answered(Answer a, bool again) : what(std::move(a)), replayed(again) {}

  Answer what{};
  bool replayed = false;  // that of the first request with this key
};

}  // namespace soma::app
