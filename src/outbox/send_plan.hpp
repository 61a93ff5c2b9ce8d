// What of a sink's rows is sent next, when, and what an answer means: the decisions of the relay.
// Pure: time and chance are given. Not thread-safe.
//
// Rows of one order go one after another. A batch has at most one row of an order, so that a row
// that is refused never lets a later one of its session overtake it. A call that fails makes the
// sink's next one wait (jittered, doubling); from breaker_failures on the breaker is open and one
// batch at a time finds out whether the sink is back. What fails is sent in smaller batches until
// the row that is at fault is alone. Only then is a try counted against it: where the sink said so
// of this row, or where others were taken meanwhile and this one was not. So no row is given up
// because the sink is away; one by which it fails waits until others have shown that it is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "outbox/sink.hpp"

namespace soma::outbox {

struct plan_limits {
  std::size_t batch_rows_max = 32;
  std::size_t in_flight_max = 4;  // batches
  std::size_t rows_max = 2000;    // known at a time; the rest stays in the store
  unsigned attempts_max = 8;      // counted ones of a row; then it is a dead letter
  std::int64_t backoff_ms_min = 1000, backoff_ms_max = 60'000;
  unsigned breaker_failures = 3;  // in a row
  std::int64_t breaker_ms = 15'000;
  std::int64_t retry_after_ms_max = 3600'000;  // of what a sink may ask for
};

class send_plan {
 public:
  explicit send_plan(plan_limits limits) : limits_(limits) {}

  // In the order of their numbers. One that is known already is left out.
  void add(std::uint64_t number, const row_facts& facts);
  std::size_t size() const { return rows_.size(); }
  bool has_room() const { return rows_.size() < limits_.rows_max; }
  std::size_t room() const { return has_room() ? limits_.rows_max - rows_.size() : 0; }
  std::optional<std::uint64_t> oldest() const;

  struct batch {
    std::uint64_t id = 0;
    std::vector<std::uint64_t> numbers;  // of one group, ascending
  };
  // What is to be sent now; none: nothing may be.
  std::optional<batch> next(std::int64_t now_ms);
  // When there may be something, as far as time alone decides; none: not before an answer or a row.
  std::optional<std::int64_t> wake_at() const;

  struct dead_row {
    std::uint64_t number = 0;
    unsigned attempts = 0;
    std::int64_t first_ms = 0, last_ms = 0;  // of the tries
    std::string why;
  };
  struct settled {
    std::vector<std::uint64_t> done;
    std::vector<dead_row> dead;
  };
  // What came of a batch. `chance`: 0 to 1. What is settled is forgotten here.
  settled answered(std::uint64_t batch_id, const attempt& what, std::int64_t now_ms, double chance);

  enum class breaker : std::uint8_t { closed, open, half_open };
  breaker state(std::int64_t now_ms) const;
  unsigned failures() const { return failures_; }          // in a row, of whole calls
  const std::string& trouble() const { return trouble_; }  // why the last failed; empty: it did not

 private:
  struct row {
    std::string order, group;
    unsigned attempts = 0;  // counted against it
    unsigned failures = 0;  // in a row, of calls it was in
    std::size_t batch_max = SIZE_MAX;
    std::int64_t not_before = 0, first_ms = 0, last_ms = 0;
    std::uint64_t taken_seen = 0;  // taken_ when it last failed
  };
  using rows = std::map<std::uint64_t, row>;

  bool may_begin(std::int64_t now_ms) const;
  batch begin(std::vector<std::uint64_t> numbers);
  void settle(std::uint64_t number);
  void count_against(std::uint64_t number, const std::string& why, std::int64_t now_ms,
                     double chance, settled& out);
  void failed(const std::vector<std::uint64_t>& numbers, const attempt& what, std::int64_t now_ms,
              double chance, settled& out);
  void split(std::vector<std::uint64_t> numbers);
  void came_through();
  std::int64_t back_off(unsigned failures, double chance) const;

  const plan_limits limits_;
  rows rows_;
  std::unordered_map<std::string, std::deque<std::uint64_t>> orders_;
  std::set<std::uint64_t> heads_;                  // first of their order, and not on their way
  std::deque<std::vector<std::uint64_t>> halves_;  // of refused batches; on their way
  std::map<std::uint64_t, std::vector<std::uint64_t>> in_flight_;
  std::uint64_t next_batch_ = 1, taken_ = 0;
  std::size_t batch_max_ = SIZE_MAX;  // while the sink is in trouble
  unsigned failures_ = 0;
  std::int64_t not_before_ = 0;
  std::string trouble_;
};

}  // namespace soma::outbox
