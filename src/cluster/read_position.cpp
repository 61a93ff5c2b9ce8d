#include "cluster/read_position.hpp"

#include <algorithm>
#include <charconv>

#include "cluster/planted_bug.hpp"

namespace soma::cluster {

std::string to_string(const read_position& position) {
  return std::to_string(position.partition) + "." + std::to_string(position.offset);
}

std::optional<read_position> parse_read_position(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view digits, auto& out) {
    if (digits.empty() || (digits.size() > 1 && digits[0] == '0') || digits[0] == '-') return false;
    const auto* end = digits.data() + digits.size();
    const auto [at, ec] = std::from_chars(digits.data(), end, out);
    return ec == std::errc{} && at == end;
  };
  read_position position;
  if (!number(text.substr(0, dot), position.partition) ||
      !number(text.substr(dot + 1), position.offset))
    return std::nullopt;
  return position;
}

bool covers(log_offset next, log_offset position) {
  return planted(planted_bug::a_position_is_one_ahead) ? next >= position : next > position;
}

bool may_still_come(const event_id& asked, std::uint64_t head_seq, std::uint32_t newest_epoch) {
  return asked.seq > head_seq && asked.epoch >= newest_epoch;
}

catch_up::step catch_up::begin_look(step so_far) {
  if (under_way_ || coming_.empty()) return so_far;
  under_way_ = so_far.look = true;
  looking_ = std::move(coming_);
  coming_.clear();
  return so_far;
}

catch_up::step catch_up::ask(std::uint64_t token) {
  auto& where = under_way_ && planted(planted_bug::an_older_end_will_do) ? looking_ : coming_;
  where.push_back(token);
  return begin_look({});
}

catch_up::step catch_up::end_is(log_offset end, log_offset next) {
  for (const auto token : looking_) reading_.emplace(end, token);
  looking_.clear();
  under_way_ = false;
  return begin_look(applied(next));
}

catch_up::step catch_up::end_unknown() {
  step out;
  out.unknown = std::move(looking_);
  looking_.clear();
  under_way_ = false;
  return begin_look(std::move(out));
}

catch_up::step catch_up::applied(log_offset next) {
  step out;
  while (!reading_.empty() && reading_.begin()->first <= next) {
    out.ready.push_back(reading_.begin()->second);
    reading_.erase(reading_.begin());
  }
  return out;
}

void catch_up::forget(std::uint64_t token) {
  std::erase(coming_, token);
  std::erase(looking_, token);
  std::erase_if(reading_, [&](const auto& one) { return one.second == token; });
}

std::size_t catch_up::waiting() const {
  return coming_.size() + looking_.size() + reading_.size();
}

}  // namespace soma::cluster
