#include "llm/model_window.hpp"

#include <boost/json.hpp>
#include <charconv>

#include "llm/answer_parser.hpp"

namespace soma::llm {

namespace json = boost::json;

namespace {

constexpr std::uint64_t window_min = 256, window_max = 100'000'000;

std::uint64_t sensible(std::uint64_t tokens) {
  return tokens >= window_min && tokens <= window_max ? tokens : 0;
}

json::value parse(std::string_view document) {
  boost::system::error_code ec;
  return json::parse(json::string_view(document.data(), document.size()), ec);
}

told_window of_entry(const json::object& entry) {
  for (const auto* name :
       {"max_model_len", "loaded_context_length", "context_length", "context_window",
        "max_context_length", "max_input_tokens", "inputTokenLimit", "input_token_limit"})
    if (const auto tokens = sensible(count_member(entry, name))) return {tokens, true};
  if (const auto* meta = object_member(entry, "meta")) {
    if (const auto tokens = sensible(count_member(*meta, "n_ctx"))) return {tokens, true};
    if (const auto tokens = sensible(count_member(*meta, "n_ctx_train"))) return {tokens, false};
  }
  if (const auto* provider = object_member(entry, "top_provider"))
    return {sensible(count_member(*provider, "context_length")), true};
  return {};
}

}  // namespace

told_window window_in_list(std::string_view document, std::string_view model) {
  const auto value = parse(document);
  const auto* object = value.if_object();
  const auto* list = object ? array_member(*object, "data") : nullptr;
  if (!list) return {};
  for (const auto& one : *list) {
    const auto* entry = one.if_object();
    if (entry && (string_member(*entry, "id") == model || list->size() == 1))
      return of_entry(*entry);
  }
  return {};
}

told_window window_in_props(std::string_view document) {
  const auto value = parse(document);
  const auto* object = value.if_object();
  const auto* settings = object ? object_member(*object, "default_generation_settings") : nullptr;
  return settings ? told_window{sensible(count_member(*settings, "n_ctx")), true} : told_window{};
}

told_window window_in_description(std::string_view document) {
  const auto value = parse(document);
  const auto* object = value.if_object();
  if (!object) return {};
  constexpr std::string_view set = "num_ctx";
  const auto parameters = string_member(*object, "parameters");
  if (const auto at = parameters.find(set); at != parameters.npos) {
    const auto digits = parameters.find_first_of("0123456789", at + set.size());
    std::uint64_t tokens = 0;
    if (digits != parameters.npos)
      std::from_chars(parameters.data() + digits, parameters.data() + parameters.size(), tokens);
    if (sensible(tokens)) return {tokens, true};
  }
  if (const auto* info = object_member(*object, "model_info"))
    for (const auto& member : *info)
      if (std::string_view(member.key().data(), member.key().size()).ends_with(".context_length"))
        return {sensible(count_member(*info, {member.key().data(), member.key().size()})), false};
  return {};
}

}  // namespace soma::llm
