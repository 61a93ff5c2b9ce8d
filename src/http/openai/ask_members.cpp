// The parameters that only have to be passed on: which wire has them, and under which name.
#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "http/openai/model_ask.hpp"

namespace soma::http {
namespace {

namespace json = boost::json;

enum class fate : std::uint8_t {
  same,     // passed on under its own name
  user_id,  // Anthropic: metadata.user_id
  refused,
};

struct row {
  std::string_view name;
  std::string_view neutral;  // the value that asks for nothing, JSON; empty: only null does
  fate chat, responses, anthropic;
};

constexpr auto same = fate::same, refused = fate::refused, user_id = fate::user_id;

// Of the routes that are translated. What is refused everywhere is known all the same, so that its
// neutral value passes.
constexpr row table[] = {
    {"seed", {}, same, refused, refused},
    {"frequency_penalty", "0", same, refused, refused},
    {"presence_penalty", "0", same, refused, refused},
    {"logit_bias", "{}", same, refused, refused},
    {"top_k", {}, same, refused, same},
    {"user", {}, same, same, user_id},
    {"safety_identifier", {}, same, same, user_id},
    {"prompt_cache_key", {}, same, same, refused},
    {"prompt_cache_retention", {}, same, same, refused},
    {"service_tier", R"("auto")", same, same, refused},
    {"metadata", "{}", same, same, refused},
    {"verbosity", {}, same, same, refused},
    {"n", "1", refused, refused, refused},
    {"best_of", "1", refused, refused, refused},
    {"echo", "false", refused, refused, refused},
    {"suffix", R"("")", refused, refused, refused},
    {"logprobs", "false", refused, refused, refused},
    {"top_logprobs", "0", refused, refused, refused},
    {"modalities", R"(["text"])", refused, refused, refused},
    {"audio", {}, refused, refused, refused},
    {"prediction", {}, refused, refused, refused},
    {"web_search_options", {}, refused, refused, refused},
    {"functions", "[]", refused, refused, refused},
    {"function_call", {}, refused, refused, refused},
    {"truncation", R"("disabled")", refused, refused, refused},
    {"context_management", "[]", refused, refused, refused},
    {"max_tool_calls", {}, refused, refused, refused},
};

const row* find(std::string_view name) {
  const auto* at = std::find_if(std::begin(table), std::end(table),
                                [&](const row& r) { return r.name == name; });
  return at == std::end(table) ? nullptr : at;
}

bool is_neutral(const row& r, const json::value& value) {
  if (value.is_null()) return true;
  if (r.neutral.empty()) return false;
  const auto neutral = json::parse({r.neutral.data(), r.neutral.size()});
  if (value.is_number() && neutral.is_number())
    return value.to_number<double>() == neutral.to_number<double>();
  return value == neutral;
}

std::string_view maker_of(llm::wire_kind wire) {
  switch (wire) {
    case llm::wire_kind::anthropic: return "Anthropic's Messages API";
    case llm::wire_kind::openai_responses: return "OpenAI's Responses API";
    case llm::wire_kind::openai_chat: break;
  }
  return "chat completions";
}

fate fate_of(const row& r, llm::wire_kind wire) {
  switch (wire) {
    case llm::wire_kind::anthropic: return r.anthropic;
    case llm::wire_kind::openai_responses: return r.responses;
    case llm::wire_kind::openai_chat: break;
  }
  return r.chat;
}

}  // namespace

error ask_invalid(std::string_view parameter, std::string_view why) {
  return error(codes::request_invalid, std::string(parameter) + ": " + std::string(why))
      .about(parameter);
}

error ask_unsupported(std::string_view parameter, std::string_view why) {
  return error(codes::request_unsupported,
               "Unsupported parameter: '" + std::string(parameter) + "' " + std::string(why))
      .about(parameter);
}

result<void> take_other(std::string_view name, const json::value& value, model_ask& ask) {
  const auto* r = find(name);
  if (!r) return ask_unsupported(name, "is not known here");
  if (is_neutral(*r, value)) return {};
  ask.others.emplace_back(name, json::serialize(value));
  return {};
}

result<std::string> write_others(const model_ask& ask, llm::wire_kind wire) {
  std::string out, user;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!out.empty()) out += ',';
    json_writer(out).string(name);
    out.append(":").append(value);
  };
  for (const auto& [name, value] : ask.others) {
    const auto* r = find(name);
    const auto what = r ? fate_of(*r, wire) : refused;
    if (what == refused)
      return ask_unsupported(name, "cannot be said to the provider of this model, which speaks " +
                                       std::string(maker_of(wire)));
    if (what == user_id)
      user = value;
    else
      add(name, value);
  }
  if (!user.empty()) add("metadata", R"({"user_id":)" + user + "}");
  return out;
}

}  // namespace soma::http
