#include "app/profile_test.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>

#include "app/services.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "models/llm_gateway.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr std::size_t listed_models_max = 500;
constexpr std::uint32_t test_tokens = 16;

// What helps, for a person who set the profile up.
std::string diagnosis(const failure& why) {
  if (why.code == codes::llm_auth)
    return "The provider refuses the key: store the right one for this provider.";
  if (why.code == codes::llm_unreachable)
    return "The address cannot be reached: check base_url, the network and the provider's "
           "certificate. " +
           why.detail;
  if (why.code == codes::llm_bad_request && why.detail.find("404") != std::string::npos)
    return "The provider knows no such model, or base_url lacks its path: check model and "
           "base_url. " +
           why.detail;
  if (why.code == codes::llm_rate_limited)
    return "The provider's limit is reached; the profile itself works. " + why.detail;
  if (why.code == codes::llm_bad_stream)
    return "What answers there is no model API of this kind: check base_url and kind. " +
           why.detail;
  if (why.code == codes::llm_timeout_first_token)
    return "The provider took the request and said nothing in time. " + why.detail;
  return why.detail;
}

// A document beside the answers; empty where the provider has none.
asio::awaitable<std::string> document_of(services& s, const admitted& in, llm::call c,
                                         llm::purpose what, const call_tie& tie) {
  prepared_call prepared;
  prepared.call = std::move(c);
  prepared.call.purpose = what;
  auto stream = start_call(s, in, std::move(prepared), true, tie);
  if (!stream) co_return std::string();
  auto got = co_await (*stream)->rest();
  if (got.end.error) got.text.clear();
  co_return std::move(got.text);
}

// What the provider says it offers; empty where it does not tell.
std::vector<std::string> models_in(const std::string& document) {
  std::vector<std::string> ids;
  boost::system::error_code ec;
  const auto value = json::parse(document, ec);
  const auto* object = ec ? nullptr : value.if_object();
  const auto* data = object ? object->if_contains("data") : nullptr;
  if (!data || !data->is_array()) return ids;
  for (const auto& entry : data->get_array())
    if (entry.is_object() && ids.size() < listed_models_max)
      if (auto id = text_of(entry.get_object(), "id"); !id.empty()) ids.push_back(std::move(id));
  return ids;
}

// Learns how large the model's context is, where its server tells; llama.cpp and Ollama run where
// people test them, and tell it in documents of their own.
asio::awaitable<void> learn_window(services& s, const admitted& in, llm::call c,
                                   const std::string& list, const call_tie& tie) {
  const auto base_url = c.target.base_url, model = c.target.model;
  auto told = llm::window_in_list(list, model);
  if (told.tokens == 0 && c.target.provider == "local") {
    const auto properties = co_await document_of(s, in, c, llm::purpose::properties, tie);
    told = llm::window_in_props(properties);
    if (told.tokens == 0) {
      const auto description = co_await document_of(s, in, c, llm::purpose::description, tie);
      told = llm::window_in_description(description);
    }
  }
  s.llm.models().learn_window(base_url, model, told);
}

// Whether asking for the list of models is worth another wait.
bool answers_at_all(const failure& why) {
  return why.code != codes::llm_unreachable && why.code != codes::llm_auth &&
         why.code != codes::llm_timeout_first_token && why.code != codes::llm_timeout_total &&
         why.code != codes::llm_circuit_open;
}

asio::awaitable<void> try_model(models::model_stream& stream, profile_test& outcome) {
  using namespace std::chrono;
  const auto begin = steady_clock::now();
  for (;;) {
    auto item = co_await stream.next();
    outcome.latency_ms = static_cast<std::uint64_t>(
        duration_cast<milliseconds>(steady_clock::now() - begin).count());
    if (outcome.first_token_ms == 0)
      outcome.first_token_ms = std::max<std::uint64_t>(1, outcome.latency_ms);
    if (!item.end) continue;
    outcome.failed = item.end->error;
    co_return;
  }
}

}  // namespace

asio::awaitable<result<profile_test>> test_profile(services& s, const admitted& in,
                                                   std::string profile, std::string role,
                                                   const call_tie& tie) {
  auto call = s.llm.prepare(in.who().tenant, {std::move(profile), std::move(role), {}});
  if (!call) co_return call.error();
  call->fallbacks.clear();  // this profile, not what stands in for it
  call->retries = 0;
  profile_test test;
  test.target = call->target;
  auto listing = *call;
  prepared_call prepared;
  prepared.call = std::move(*call);
  prepared.call.messages.push_back({"user", "Say ok.", {}, {}});
  if (!prepared.call.target.max_tokens) prepared.call.target.max_tokens = test_tokens;
  auto stream = start_call(s, in, std::move(prepared), false, tie);
  if (!stream) co_return stream.error();
  co_await try_model(**stream, test);
  if (test.failed) test.diagnosis = diagnosis(*test.failed);
  if (!test.failed || answers_at_all(*test.failed)) {
    const auto list = co_await document_of(s, in, listing, llm::purpose::model_list, tie);
    test.models = models_in(list);
    co_await learn_window(s, in, std::move(listing), list, tie);
  }
  co_return test;
}

}  // namespace soma::app
