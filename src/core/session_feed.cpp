#include "core/session_feed.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <charconv>
#include <iterator>
#include <utility>

#include "core/chunked.hpp"

namespace soma {
namespace {

// In place: this is done for each event that is told again.
template <class Number>
void append_number(std::string& out, Number n) {
  char digits[20];
  out.append(digits, std::to_chars(digits, std::end(digits), n).ptr);
}

}  // namespace

void append_event_frame(std::string& out, event_id id, event_type type, std::string_view json) {
  append_number(out.append("id: "), id.epoch);
  append_number(out.append("."), id.seq);
  out.append("\nevent: ").append(to_string(type));
  out.append("\ndata: ").append(json).append("\n\n");
}

feed_frame make_feed_frame(event_id id, event_type type, std::string_view json) {
  std::string bytes;
  bytes.reserve(json.size() + 80);
  const auto place = begin_chunk(bytes);
  append_event_frame(bytes, id, type, json);
  end_chunk(bytes, place);
  return {id, type, std::make_shared<const std::string>(std::move(bytes))};
}

void session_feed::publish(std::span<const feed_frame> frames,
                           std::optional<std::uint64_t> first_seq) {
  std::unique_lock lock(mutex_);
  for (const feed_frame& frame : frames) push(frame);
  if (first_seq) marks_.first_seq = std::max(marks_.first_seq, *first_seq);
  wake_interested(lock);
}

void session_feed::publish_ephemeral(std::string_view frame) {
  auto bytes = std::make_shared<const std::string>(as_chunks(frame));
  std::unique_lock lock(mutex_);
  push({{0, marks_.head_seq + 1}, event_type{}, std::move(bytes)});
  wake_interested(lock);
}

void session_feed::finish(feed_end how) {
  std::unique_lock lock(mutex_);
  if (marks_.end == feed_end::open) marks_.end = how;
  wake_interested(lock);
}

void session_feed::attach(unsigned thread) {
  assert(thread < feed_threads_max);
  std::lock_guard lock(mutex_);
  interested_ |= std::uint64_t{1} << thread;
}

void session_feed::detach(unsigned thread) {
  std::lock_guard lock(mutex_);
  interested_ &= ~(std::uint64_t{1} << thread);
}

void session_feed::drain(unsigned thread) {
  std::lock_guard lock(mutex_);
  woken_ &= ~(std::uint64_t{1} << thread);
}

void session_feed::learn(std::uint64_t head_seq, std::uint64_t first_seq) {
  std::lock_guard lock(mutex_);
  marks_.first_seq = std::max(marks_.first_seq, first_seq);
  // A publisher's head is exact; one read from the log may already count what is about to be
  // published, and would send readers to the log for frames on their way to the ring.
  if (marks_.head_known) return;
  marks_.head_seq = head_seq;
  marks_.head_known = true;
}

feed_marks session_feed::marks() const {
  std::lock_guard lock(mutex_);
  return marks_;
}

feed_marks session_feed::copy_after(std::uint64_t seq, std::size_t frames_max,
                                    std::size_t bytes_max, std::vector<feed_frame>& out) const {
  std::lock_guard lock(mutex_);
  if (count_ == 0 || at(0).id.seq > seq + 1 || at(count_ - 1).id.seq <= seq) return marks_;
  std::size_t bytes = 0;
  std::size_t copied = 0;
  for (std::size_t i = seq + 1 - at(0).id.seq; i < count_ && copied < frames_max; ++i, ++copied) {
    bytes += at(i).bytes->size();
    if (copied > 0 && bytes > bytes_max) break;
    out.push_back(at(i));
  }
  return marks_;
}

void session_feed::push(feed_frame frame) {
  // Published twice would be shown twice only if the ring went back: it never does.
  if (count_ > 0 && frame.id.seq <= at(count_ - 1).id.seq) return;
  if (count_ > 0 && frame.id.seq != at(count_ - 1).id.seq + 1) clear_ring();
  marks_.head_seq = std::max(marks_.head_seq, frame.id.seq);
  marks_.head_known = true;
  published_since_sweep_ = true;
  bytes_ += frame.bytes->size();
  while (count_ > 0 && (count_ >= limits_.frames_max || bytes_ > limits_.bytes_max)) pop_front();
  if (count_ == ring_.size()) grow();
  ring_[(front_ + count_) % ring_.size()] = std::move(frame);
  ++count_;
}

void session_feed::pop_front() {
  feed_frame& oldest = ring_[front_];
  bytes_ -= oldest.bytes->size();
  oldest.bytes.reset();
  front_ = (front_ + 1) % ring_.size();
  --count_;
}

void session_feed::clear_ring() {
  ring_ = {};
  front_ = count_ = bytes_ = 0;
}

void session_feed::grow() {
  const std::size_t limit = std::max<std::size_t>(limits_.frames_max, 1);
  std::vector<feed_frame> larger(std::min(limit, std::max<std::size_t>(8, ring_.size() * 2)));
  for (std::size_t i = 0; i < count_; ++i)
    larger[i] = std::move(ring_[(front_ + i) % ring_.size()]);
  ring_ = std::move(larger);
  front_ = 0;
}

void session_feed::wake_interested(std::unique_lock<std::mutex>& lock) {
  std::uint64_t wake = interested_ & ~woken_;
  woken_ |= wake;
  lock.unlock();
  for (; wake != 0; wake &= wake - 1)
    wakers_.push(static_cast<unsigned>(std::countr_zero(wake)), shared_from_this());
}

void session_feed::empty_quiet_ring(std::int64_t now_ms) {
  std::lock_guard lock(mutex_);
  if (std::exchange(published_since_sweep_, false))
    quiet_since_ms_ = now_ms;
  else if (count_ > 0 && now_ms - quiet_since_ms_ >= limits_.idle_ms)
    clear_ring();
}

void feed_wakers::set_waker(unsigned thread, std::function<void()> wake) {
  slot& s = slots_[thread];
  std::lock_guard lock(s.mutex);
  s.wake = std::move(wake);
  if (!s.feeds.empty() && s.wake) s.wake();
}

std::vector<std::shared_ptr<session_feed>> feed_wakers::take(unsigned thread) {
  slot& s = slots_[thread];
  std::lock_guard lock(s.mutex);
  s.awake = false;
  return std::exchange(s.feeds, {});
}

void feed_wakers::push(unsigned thread, std::shared_ptr<session_feed> feed) {
  slot& s = slots_[thread];
  std::lock_guard lock(s.mutex);
  s.feeds.push_back(std::move(feed));
  if (!std::exchange(s.awake, true) && s.wake) s.wake();
}

std::shared_ptr<session_feed> feed_registry::acquire(const session_key& key) {
  std::lock_guard lock(mutex_);
  slot& s = feeds_[key];
  if (!s.feed) {
    s.feed = std::make_shared<session_feed>(key, limits_, wakers_);
    if (is_own_stream(key.session)) followed_[key.tenant].insert(key.session);
  }
  s.idle_since_ms = -1;
  return s.feed;
}

std::shared_ptr<session_feed> feed_registry::find(const session_key& key) const {
  std::lock_guard lock(mutex_);
  const auto it = feeds_.find(key);
  return it == feeds_.end() ? nullptr : it->second.feed;
}

void feed_registry::finish(const session_key& key, feed_end how) {
  std::shared_ptr<session_feed> feed;
  {
    std::lock_guard lock(mutex_);
    const auto it = feeds_.find(key);
    if (it == feeds_.end()) return;
    feed = std::move(it->second.feed);
    erase(it);
  }
  feed->finish(how);
}

feed_registry::feeds::iterator feed_registry::erase(feeds::iterator which) {
  const auto& key = which->first;
  if (const auto at = followed_.find(key.tenant); at != followed_.end()) {
    at->second.erase(key.session);
    if (at->second.empty()) followed_.erase(at);
  }
  return feeds_.erase(which);
}

void feed_registry::finish_all(feed_end how) {
  std::unordered_map<session_key, slot> feeds;
  {
    std::lock_guard lock(mutex_);
    feeds.swap(feeds_);
    followed_.clear();
  }
  for (auto& [key, s] : feeds) s.feed->finish(how);
}

std::vector<tenant_id> feed_registry::tenants_followed() const {
  std::vector<tenant_id> out;
  std::lock_guard lock(mutex_);
  for (const auto& [tenant, feeds] : followed_) out.push_back(tenant);
  return out;
}

bool feed_registry::is_followed(const tenant_id& tenant) const {
  std::lock_guard lock(mutex_);
  return followed_.count(tenant) > 0;
}

std::vector<std::shared_ptr<session_feed>> feed_registry::followed(const tenant_id& tenant) const {
  std::vector<std::shared_ptr<session_feed>> out;
  std::lock_guard lock(mutex_);
  const auto at = followed_.find(tenant);
  if (at == followed_.end()) return out;
  for (const auto& session : at->second) out.push_back(feeds_.at({tenant, session}).feed);
  return out;
}

void feed_registry::sweep(std::int64_t now_ms) {
  std::vector<std::shared_ptr<session_feed>> dropped;  // destroyed after the lock
  std::lock_guard lock(mutex_);
  std::vector<std::pair<std::int64_t, const session_key*>> idle;
  for (auto it = feeds_.begin(); it != feeds_.end();) {
    slot& s = it->second;
    s.feed->empty_quiet_ring(now_ms);
    // Others get the feed from this map only, under this lock: a count of one stays one.
    if (s.feed.use_count() > 1) {
      s.idle_since_ms = -1;
    } else if (s.idle_since_ms < 0) {
      s.idle_since_ms = now_ms;
    } else if (now_ms - s.idle_since_ms >= limits_.idle_ms) {
      dropped.push_back(std::move(s.feed));
      it = erase(it);
      continue;
    }
    if (s.idle_since_ms >= 0) idle.emplace_back(s.idle_since_ms, &it->first);
    ++it;
  }
  if (idle.size() > limits_.idle_feeds_max) {
    std::sort(idle.begin(), idle.end());
    idle.resize(idle.size() - limits_.idle_feeds_max);
    for (const auto& [since, key] : idle) {
      const auto it = feeds_.find(*key);
      dropped.push_back(std::move(it->second.feed));
      erase(it);
    }
  }
}

std::size_t feed_registry::size() const {
  std::lock_guard lock(mutex_);
  return feeds_.size();
}

}  // namespace soma
