#include "app/model_calls.hpp"

#include "app/services.hpp"
#include "core/codes.hpp"
#include "models/llm_gateway.hpp"
#include "models/model_lock.hpp"

namespace soma::app {
namespace {

// Who a model call is made for.
actors::llm_caller llm_caller_of(const caller& who) {
  return {who.tenant, who.user.value, {}, who.request_id, who.trace_id, origin_of(who).actor_json};
}

}  // namespace

result<prepared_call> prepare_call(services& s, const admitted& in, const wanted_profile& wanted) {
  const auto& who = in.who();
  const bool fixed = !wanted.model.empty() && !s.llm.models().knows_model(who.tenant, wanted.model);
  const std::string_view idle = wanted.names_base_url ? "base_url" : fixed ? "model" : "";
  auto warn = models::judge_lock(s.llm, llm_caller_of(who), idle);
  if (!warn) return warn.error();
  auto call = s.llm.prepare(who.tenant, {wanted.profile, wanted.role, {}});
  if (!call) return call.error();
  prepared_call prepared;
  if (fixed) prepared.fixed_model = call->target.model;
  prepared.call = std::move(*call);
  prepared.warn = *warn;
  return prepared;
}

result<prepared_call> prepare_call_to(services& s, const admitted& in, const std::string& model,
                                      bool names_base_url) {
  const auto& who = in.who();
  if (!s.llm.models().knows(who.tenant, model))
    return error(codes::profile_not_found, "no profile has the model '" + model.substr(0, 100) +
                                               "': GET /v1/models lists those that there are")
        .about("model");
  auto warn = models::judge_lock(s.llm, llm_caller_of(who), names_base_url ? "base_url" : "");
  if (!warn) return warn.error();
  models::wanted_model wanted;
  wanted.model = model;
  auto call = s.llm.prepare(who.tenant, wanted);
  if (!call) return std::move(call.error()).about("model");
  prepared_call prepared;
  prepared.call = std::move(*call);
  prepared.warn = *warn;
  return prepared;
}

bool redacts_calls(services& s, const caller& who) {
  return s.llm.redacts(who.tenant);
}

result<std::shared_ptr<models::model_stream>> start_call(services& s, const admitted& in,
                                                         prepared_call prepared, bool raw,
                                                         const call_tie& tie) {
  if (!prepared.fixed_model.empty()) prepared.call.target.model = std::move(prepared.fixed_model);
  const auto& who = in.who();
  auto stream = models::model_stream::start(s.llm, *s.llm_clients[who.io_thread],
                                            llm_caller_of(who), std::move(prepared.call), raw);
  if (!stream) return stream;
  if (auto tied = tie(*stream); !tied) return tied.error();
  return stream;
}

std::vector<llm::model_profile> list_models(services& s, const caller& who) {
  std::vector<llm::model_profile> all;
  for (auto& listed : s.llm.models().list(who.tenant))
    if (listed.profile.enabled) all.push_back(std::move(listed.profile));
  return all;
}

result<llm::model_profile> find_model(services& s, const caller& who, std::string_view name) {
  auto listed = s.llm.models().get(who.tenant, name);
  if (!listed || !listed->profile.enabled)
    return error(codes::profile_not_found, "there is no such model").about("model");
  return std::move(listed->profile);
}

}  // namespace soma::app
