// A model call that is looked through for personal data before it goes: what may not leave never
// reaches the client, and what was taken out of it is put back into what the model says.
//
// What is small is looked through at once, on the thread that starts it. Where much is to be looked
// through or policy answers later, the handle is there before the call is made.
#pragma once

#include <functional>
#include <memory>

#include "llm/llm_client.hpp"
#include "security/pii/egress_guard.hpp"

namespace soma::models {

struct screening {
  // Of texts that are looked through on the thread that starts the call: some 1.5 ms
  // of prose with numbers in each line.
  static constexpr std::size_t inline_bytes_max = 32 * 1024;

  llm::llm_client& client;
  security::pii::egress_guard& guard;
  security::pii::mode mode = security::pii::mode::report;
  security::pii::leaving about;  // who asks; the rest is found
  // Runs it on the client's thread, where that has to start its calls; empty: any thread may.
  std::function<void(std::function<void()>)> home{};
  // Runs it on a thread for what takes long; false: too much waits for one. Empty: there is none.
  std::function<bool(std::function<void()>)> aside{};
  // What was found and what came of it, before the call goes or its sink is told; once, on any
  // thread, and not where the handle went before.
  std::function<void(const security::pii::counts&, const security::decision&)> on_judged{};
};

// Errors: policy.denied, dependency.unavailable, where that is known at once, and server.busy; the
// sink then is never called. Later they are the failure that it ends with.
result<std::unique_ptr<llm::stream_handle>> start_screened(screening how, llm::call c,
                                                           llm::stream_sink sink);

// All texts of a call, in the order in which a model reads them.
void look_through(llm::call& c, security::pii::screen& s, bool redacts);

}  // namespace soma::models
