// How a provider is asked that refuses parts of what others take: read out of its refusal, and kept
// in mind for the calls that follow.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "llm/llm_client.hpp"

namespace soma::llm {

// The form of a call that does without what this refusal names; none where it names nothing that
// the call sent and could do without. Pure.
std::optional<wire_form> form_after(unsigned status, std::string_view body, const call& asked);

// So many tokens as the call asks for at most, within what its target takes; none: it does not say.
std::optional<std::uint64_t> answer_tokens_of(const call& asked);

// Of each provider and model as a tenant has it, for limits::form_kept_ms after it was last
// learned: a server that was set up better is asked in full again. That its answers begin in a
// thought holds until one does not. A key begins with its tenant, up to a line feed: what one
// tenant's provider answers says nothing to another's calls, and where there are too many, those
// of the tenant that has the most go. Thread-safe; time is of a steady clock.
class wire_forms {
 public:
  wire_form of(std::string_view key, std::int64_t now_ms) const;
  // But for `begins_in_thought`, which answers tell and no refusal.
  void learn(std::string_view key, const wire_form& form, std::int64_t now_ms);
  void learn_beginning(std::string_view key, bool in_thought);

 private:
  struct kept {
    wire_form form;
    std::int64_t until_ms = 0;
  };
  kept& at(std::string_view key);
  void drop_most();

  mutable std::mutex mutex_;
  std::map<std::string, kept, std::less<>> forms_;
};

}  // namespace soma::llm
