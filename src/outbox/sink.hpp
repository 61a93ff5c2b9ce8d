// Where rows of the outbox go: what the relay knows of a sink, and what a try came to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace soma::outbox {

// What a row says of itself without being sent.
struct row_facts {
  std::string tenant, session;  // of a dead letter, for whoever looks at it; may be empty
  std::string order;  // rows of the same go one after another, the next once this one is settled
  std::string group;  // what one call takes together
};

enum class row_outcome : std::uint8_t {
  open,     // nothing is known of it
  done,     // acknowledged
  refused,  // the sink said of this very row that it does not take it
};

// What came of one call.
struct attempt {
  enum class kind : std::uint8_t {
    answered,  // `rows` says of each what came of it
    refused,   // the whole: something in it is not taken
    away,      // no answer, or none that says anything; `rows` may have what was done before
    busy,      // it is there and wants to be asked again after `retry_after_ms`
  } how = kind::answered;
  std::vector<row_outcome> rows;     // as many as were given, or none
  std::string why;                   // a sentence for a person, without texts and secrets
  std::int64_t retry_after_ms = -1;  // as the sink said; -1: it did not
};

class sink {
 public:
  virtual ~sink() = default;
  virtual std::string_view name() const = 0;  // of its rows

  // None: of no version that is known. Pure.
  virtual std::optional<row_facts> facts(std::string_view payload) const = 0;

  // Sends rows of one group, oldest first, and keeps what came of it. Called by several threads,
  // never with two rows of one order. Blocks; has a deadline; ends soon after `stop`.
  virtual attempt send(const std::vector<std::string>& payloads) = 0;

  // The row is a dead letter now. Blocks.
  virtual void gave_up(std::string_view payload) = 0;

  // When what the row is about was written, in milliseconds; 0: not known. Blocks.
  virtual std::int64_t since_ms(std::string_view payload) const = 0;

  // Calls under way end, later ones at once. Any thread; does not block.
  virtual void stop() = 0;
};

}  // namespace soma::outbox
