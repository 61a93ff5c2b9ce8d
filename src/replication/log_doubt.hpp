// A partition whose log could not be read on, or seemed to end before the place up to which it was
// read: whether it is lost, which stops the partition at this node for good, or only looked so
// because brokers had just begun. It is lost once brokers have said the same of it for a stated
// time, at several looks, one behind the other; who does not answer says nothing, and one look at
// which the place is there begins again. Pure; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "kafka/log_consumer.hpp"

namespace soma::replication {

struct doubt_rules {
  std::int64_t lost_after_ms = 30'000;  // of the same answer …
  std::size_t looks_min = 5;            // … at so many looks, at least
  std::int64_t looked_at_every_ms = 1'000;
  std::int64_t begun_again_every_ms = 5'000;
};

class log_doubt {
 public:
  explicit log_doubt(const doubt_rules& rules, std::string why)
      : rules_(rules), why_(std::move(why)) {}

  enum class verdict : std::uint8_t { wait, begin_again, lost };
  // The log is read from `place`; `holds`: a record is known to be there.
  verdict looked(std::int64_t now_ms, const kafka::seen_log& seen, std::int64_t place, bool holds);

  // What was seen first, and what brokers say.
  std::string why() const { return said_.empty() ? why_ : why_ + ": " + said_; }

 private:
  const doubt_rules rules_;
  const std::string why_;
  std::string said_;  // of the last look that was answered
  std::int64_t same_since_ms_ = 0;
  std::size_t looks_ = 0;  // with the same answer
  std::optional<std::int64_t> begun_ms_;
};

}  // namespace soma::replication
