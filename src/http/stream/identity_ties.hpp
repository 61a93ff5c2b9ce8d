// What ends with the identity that began it, of one io thread: a key that is removed, a browser
// that signs out, a proof that expires. The streams of sessions are the hub's own; whatever else
// goes on for long after its request was let in ties itself here.
//
// Threads: one io thread's; a tie may also be let go of once that thread has ended. Ties may
// outlive this object.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "http/stream/stream_owner.hpp"

namespace soma::http {

class identity_ties {
 public:
  // `cut` is called at most once, when `who` is gone or over, and not after the tie was let go of.
  // Null: `who` is gone already.
  std::shared_ptr<void> tie(const stream_owner& who, std::function<void()> cut) {
    if (is_gone(who)) return nullptr;
    struct holder {
      std::shared_ptr<list> of;
      list::iterator at;
      ~holder() { of->erase(at); }
    };
    const auto at = all_->insert(all_->end(), std::make_shared<entry>(entry{who, std::move(cut)}));
    return std::shared_ptr<holder>(new holder{all_, at});
  }

  // Whether it was told gone lately, longer ago than any request is on its way from its
  // authentication to its stream.
  bool is_gone(const stream_owner& who) const {
    for (const auto& one : gone_)
      if (who.goes_with(one.who)) return true;
    return false;
  }

  void cut(const stream_owner& gone, std::uint64_t now_ms) {
    if (gone_.size() == gone_max) gone_.pop_front();
    gone_.push_back({gone, now_ms});
    cut_where([&gone](const stream_owner& who) { return who.goes_with(gone); });
  }

  // Now and then. `now_ms`: of any clock, as for cut(); `wall_ms`: since 1970.
  void tick(std::uint64_t now_ms, std::int64_t wall_ms) {
    while (!gone_.empty() && now_ms - gone_.front().at_ms > gone_kept_ms) gone_.pop_front();
    cut_where([wall_ms](const stream_owner& who) {
      return who.expires_at_ms != 0 && wall_ms >= who.expires_at_ms;
    });
  }

 private:
  static constexpr std::uint64_t gone_kept_ms = 60'000;
  static constexpr std::size_t gone_max = 4096;

  struct entry {
    stream_owner who;
    std::function<void()> cut;  // empty once it was called
  };
  using list = std::list<std::shared_ptr<entry>>;
  struct gone_owner {
    stream_owner who;
    std::uint64_t at_ms;
  };

  // What is called may let go of any tie.
  template <class Which>
  void cut_where(const Which& which) {
    std::vector<std::weak_ptr<entry>> found;
    for (const auto& one : *all_)
      if (one->cut && which(one->who)) found.push_back(one);
    for (const auto& one : found)
      if (const auto alive = one.lock())
        if (auto cut = std::exchange(alive->cut, nullptr)) cut();
  }

  const std::shared_ptr<list> all_ = std::make_shared<list>();
  std::deque<gone_owner> gone_;
};

}  // namespace soma::http
