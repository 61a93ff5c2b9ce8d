// What a provider's word for the end of an answer means, over all providers and kinds. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace soma::llm {

enum class ending : std::uint8_t {
  complete,  // the model was done, called tools, or met a stop word; also any word not known
  length,    // of the answer or of the context
  filtered,  // by a filter or a refusal: asking again will not help
  failed,    // at the provider: asking again may help
};

// Case does not count.
ending meaning_of(std::string_view finish_reason);

}  // namespace soma::llm
