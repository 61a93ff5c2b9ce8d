// Use cases of models beside conversations: a call that a caller makes, the models there are. A
// call is prepared, what is asked is put into it by the door that read it, and it is started.
//
// On the caller's io thread; nothing waits.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/pipeline.hpp"
#include "llm/model_profile.hpp"
#include "models/model_stream.hpp"

namespace soma::app {

class services;

// The profile that a caller asks for, and what it names beside that.
struct wanted_profile {
  std::string profile, role;    // empty: the usual one
  std::string model;            // counts where a profile of the tenant has it
  bool names_base_url = false;  // never counts
};

struct prepared_call {
  llm::call call;           // without messages
  bool warn = false;        // the model lock has something to say about what was named
  std::string fixed_model;  // where the one that was named does not count; else empty
};

// Errors: those of the model lock, of model_registry::resolve.
result<prepared_call> prepare_call(services& s, const admitted& in, const wanted_profile& wanted);
// By the name of a profile or of a profile's model. Errors: as above; profile.not_found for a model
// that no profile has, whatever the lock says.
result<prepared_call> prepare_call_to(services& s, const admitted& in, const std::string& model,
                                      bool names_base_url);

// Whether personal data is taken out of a caller's calls: their answers then are made anew, with
// the words back in them, and no provider's own go through.
bool redacts_calls(services& s, const caller& who);

// How a door ends a call with whoever asked: called once with each that was started. Error: the
// asker is gone already; the call is then let go.
using call_tie = std::function<result<void>(const std::shared_ptr<models::model_stream>&)>;

// `raw`: pieces as the provider sends them. Errors: those of llm_gateway::start and of the tie.
result<std::shared_ptr<models::model_stream>> start_call(services& s, const admitted& in,
                                                         prepared_call prepared, bool raw,
                                                         const call_tie& tie);

// Profiles that can be asked.
std::vector<llm::model_profile> list_models(services& s, const caller& who);
result<llm::model_profile> find_model(services& s, const caller& who,
                                      std::string_view name);  // profile.not_found

}  // namespace soma::app
