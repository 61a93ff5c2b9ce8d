// A model profile as people write and read it: everything about a model but its key. The record,
// its JSON, and what makes it valid. Pure; a value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "llm/llm_client.hpp"

namespace soma::llm {

struct model_profile {
  std::string name;               // [a-z0-9][a-z0-9._-]{0,63}
  std::string role = "dialogue";  // dialogue, summarize, embed, or the operator's own word
  std::string provider;           // whose credential; empty: as the base URL says
  std::optional<wire_kind> kind;  // none: as the provider says
  std::string model;
  std::string base_url;  // normalized
  std::optional<double> temperature, top_p;
  std::optional<std::uint32_t> max_tokens;
  std::vector<std::string> stop;
  std::string reasoning_effort;
  std::string extra_json;  // an object or empty
  bool prefill = false;    // resume: prefill in place of restart
  bool pictures = false;   // `images`: a message may have pictures
  std::uint64_t context_window = 32768;
  bool says_window = false;  // the profile says so; otherwise the provider is asked
  std::optional<token_prices> prices;
  std::vector<std::string> fallbacks;  // names of profiles
  bool enabled = true;
  bool preferred = false;  // speaks for its role before all others

  bool operator==(const model_profile&) const = default;
};

// Reads what a client or a file gives; `name` wins over a member of that name. A base URL is
// normalized. Fails with profile.invalid, its detail beginning with the field: "base_url: …".
result<model_profile> parse_profile(std::string_view json, std::string_view name);

// Without what is not set; `provider` and `kind` always as they will be used. A context window that
// is not set is left out, too.
std::string to_json(const model_profile& p);

// The provider that a base URL belongs to, by its host: openai, anthropic, …; else "local" for
// loopback and private addresses, "openai_compatible" otherwise.
std::string_view detect_provider(std::string_view normalized_base_url);
// As a metric's label: tenants name providers as they like, and a label has few values.
std::string_view provider_label(std::string_view provider);
wire_kind default_wire(std::string_view provider);
// Whether a model is known to see; of most others nobody knows.
bool takes_pictures(std::string_view provider, std::string_view model);

// What a call needs of a profile; the key is the caller's to add.
profile to_target(const model_profile& p);

}  // namespace soma::llm
