// Every bound on what is read from a provider or kept of its answer, with its reason. What a caller
// may set stands in client_options (llm_client.hpp); its defaults are these.
#pragma once

#include <cstddef>
#include <cstdint>

namespace soma::llm::limits {

// What one read from a provider takes: words of a stream fit into the least many times over; an
// answer that fills it is read in larger and larger pieces.
inline constexpr std::size_t read_bytes_least = 2 * 1024, read_bytes_most = 32 * 1024;
inline constexpr std::size_t read_buffers_kept = 128;  // between the calls of a client
// Past so many answers under way at a client none holds a buffer while it waits.
inline constexpr std::uint64_t read_buffers_held = 1024;
// Status line and headers of an answer.
inline constexpr std::size_t header_bytes_max = 64 * 1024;
// One line, and the data of one event: the Responses API repeats a whole answer, with instructions
// and tools, in its last event.
inline constexpr std::size_t line_bytes_max = 8 * 1024 * 1024;
// An answer in one piece.
inline constexpr std::size_t document_bytes_max = 16 * 1024 * 1024;
// Embeddings: 2,048 vectors of 1,536 numbers, each on a line of its own with all its digits, as
// OpenAI sends them (31 bytes a number); of 3,072 numbers in base64, as its clients ask for them, a
// third of it.
inline constexpr std::size_t embeddings_bytes_max = 96 * 1024 * 1024;
// What a provider says of itself: the longest lists of models are a megabyte.
inline constexpr std::size_t description_bytes_max = 4 * 1024 * 1024;
// All documents that are being received or wait for their readers, of all calls together; half of
// it for one tenant.
inline constexpr std::size_t documents_bytes_max = 256 * 1024 * 1024;
// When a call may come again that found no room for its document.
inline constexpr std::uint32_t documents_retry_ms = 1000;
// All bytes of one answer, frames and comments included, after decoding.
inline constexpr std::uint64_t answer_bytes_max = 512ull * 1024 * 1024;
// What came compressed may become so many times as long, beyond the first megabytes. Streams shrink
// to a tenth, and texts that say the same again and again to a fiftieth.
inline constexpr std::uint64_t expansion_max = 100, expanded_bytes_free = 16ull * 1024 * 1024;
// The body of a refusal; what is behind is not read.
inline constexpr std::size_t error_body_bytes_max = 16 * 1024;
// Answers are guarded by callers; what the model writes into tool calls they see only at the end.
inline constexpr std::size_t call_bytes_max = 4 * 1024 * 1024;
inline constexpr std::size_t calls_max = 128;
// Items of an answer of the Responses API, and parts of one, that are told apart.
inline constexpr std::size_t items_max = 1024;
// Of an item's id: gateways write what they want to know again into it.
inline constexpr std::size_t item_id_bytes_max = 4096;
// What a provider wants back with an answer: signed or encrypted thoughts.
inline constexpr std::size_t state_bytes_max = 256 * 1024;
inline constexpr std::size_t thoughts_max = 64;
// A thought in the text of an answer: where it may begin or end is looked for up to here.
inline constexpr std::size_t thought_bytes_max = 1024 * 1024;
// White space before an answer that may still begin with a thought: some models write nothing else.
inline constexpr std::size_t beginning_bytes_max = 4096;
// Tokens that one call can have used: beyond any model, and no sum of such overflows.
inline constexpr std::uint64_t tokens_max = 1'000'000'000'000;
// How many times its first wait a provider may take for the first word while it gives signs of life
// (comments, pings, `response.in_progress`): ten minutes with the default of 60 s.
inline constexpr std::uint32_t signs_of_life_max = 10;
// After the reason of the end: how long the count of tokens and the end itself are waited for.
inline constexpr std::uint32_t after_reason_ms = 5000;
// A refusal's number is taken for the longest answer a model gives from here on.
inline constexpr std::uint64_t answer_tokens_told_min = 64;
// Ways of asking that one call may try while a provider refuses parts of its requests.
inline constexpr std::uint32_t forms_tried_max = 5;
// When a call may come again that found too many waiting for a place.
inline constexpr std::uint32_t places_retry_ms = 5000;
// Names that are looked up at once, and of one tenant: each holds a thread for as long as nobody
// answers for it, which can be half a minute.
inline constexpr std::size_t lookup_threads = 16, lookups_of_a_tenant = 4;
// Providers and models whose refusals are kept in mind, and for how long.
inline constexpr std::size_t forms_kept_max = 1024;
inline constexpr std::int64_t form_kept_ms = 30 * 60 * 1000;

}  // namespace soma::llm::limits
