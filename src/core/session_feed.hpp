// Feeds: how durable events reach the readers of a session without passing through its actor.
//
// A feed is a bounded ring of a session's newest frames and the marks a reader needs to know where
// it stands. The event writer publishes to it after its fsync, so what is in a ring is in the log.
// A reader takes only the frame after its cursor from the ring; what the ring no longer holds it
// reads from the log. Frames are encoded once and shared by all readers.
//
// Threads: everything here is thread-safe and never blocks longer than a short lock. Reading
// threads ("io threads") are numbered 0 to feed_threads_max - 1. A thread that attached to a feed
// is woken at most once until it calls drain(); attach() and drain() come before the reading they
// guard, so a publish is either seen by that reading or wakes the thread again.
//
// Lifetime: the registry outlives its feeds. It shares feeds; one that nobody but the registry
// holds is dropped by sweep() after a while. Nothing is lost by that, or by a feed being made
// between a commit and its publish: a new feed does not know the head, and its readers begin in the
// log.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/event.hpp"
#include "core/ids.hpp"

namespace soma {

inline constexpr unsigned feed_threads_max = 64;

using shared_bytes = std::shared_ptr<const std::string>;

struct feed_frame {
  event_id id;
  event_type type{};
  shared_bytes bytes;  // the whole SSE frame, as one chunk (core/chunked.hpp)
};

// Appends "id: E.S\nevent: <type>\ndata: <json>\n\n", without a chunk's head and tail.
void append_event_frame(std::string& out, event_id id, event_type type, std::string_view json);
feed_frame make_feed_frame(event_id id, event_type type, std::string_view json);

enum class feed_end : std::uint8_t {
  open,
  deleted,     // its session is gone: readers get what the ring holds, then session.close
  owner_lost,  // this node no longer owns the log: readers are closed and reconnect
};

struct feed_limits {
  std::size_t frames_max = 256;         // sse.ring_frames
  std::size_t bytes_max = 256 * 1024;   // sse.ring_bytes; one frame is kept whatever its size
  std::size_t idle_feeds_max = 10'000;  // feeds without readers kept for their return
  std::int64_t idle_ms = 30'000;        // and for how long; a quiet ring is emptied after the same
};

struct feed_marks {
  bool head_known = false;      // false until the first publish or learn()
  std::uint64_t head_seq = 0;   // last event published or learnt
  std::uint64_t first_seq = 1;  // below it a reset deleted everything
  feed_end end = feed_end::open;
};

class feed_wakers;

class session_feed : public std::enable_shared_from_this<session_feed> {
 public:
  session_feed(session_key key, const feed_limits& limits, feed_wakers& wakers)
      : key_(std::move(key)), limits_(limits), wakers_(wakers) {}

  const session_key& key() const { return key_; }

  // Event writer only. Frames ascend and follow what was published before; after a hole the ring
  // starts anew. A reset passes the new first_seq together with its frames.
  void publish(std::span<const feed_frame> frames, std::optional<std::uint64_t> first_seq = {});
  // For streams without a log (the tenant's): encodes the SSE frame, and gives it the next seq.
  void publish_ephemeral(std::string_view frame);
  void finish(feed_end how);

  // Sets the thread's interest: from now on a publish wakes it.
  void attach(unsigned thread);
  void detach(unsigned thread);
  // The thread is about to read: the next publish wakes it again.
  void drain(unsigned thread);

  // What a reader found in the log; ignored where the feed knows better.
  void learn(std::uint64_t head_seq, std::uint64_t first_seq);

  feed_marks marks() const;

  // Appends the frames after `seq` to `out`, at least one and then no more than the given numbers,
  // or none when the ring does not hold seq + 1. Marks are those of the same moment.
  feed_marks copy_after(std::uint64_t seq, std::size_t frames_max, std::size_t bytes_max,
                        std::vector<feed_frame>& out) const;

 private:
  friend class feed_registry;

  void push(feed_frame frame);
  void pop_front();
  void clear_ring();
  const feed_frame& at(std::size_t i) const { return ring_[(front_ + i) % ring_.size()]; }
  void grow();
  void wake_interested(std::unique_lock<std::mutex>& lock);
  void empty_quiet_ring(std::int64_t now_ms);

  const session_key key_;
  const feed_limits& limits_;
  feed_wakers& wakers_;

  mutable std::mutex mutex_;
  std::vector<feed_frame> ring_;  // circular: count_ frames from front_
  std::size_t front_ = 0, count_ = 0, bytes_ = 0;
  feed_marks marks_;
  std::uint64_t interested_ = 0;  // bit a thread
  std::uint64_t woken_ = 0;       // threads that were woken and have not drained since
  bool published_since_sweep_ = false;
  std::int64_t quiet_since_ms_ = 0;
};

// The feeds each io thread was woken for, and how to wake it.
class feed_wakers {
 public:
  explicit feed_wakers(unsigned threads) : slots_(threads) {}

  // `wake` is called by publishers, from any thread, at most once until take() is called. An empty
  // function stops it. After set_waker returns the earlier function is not called any more.
  void set_waker(unsigned thread, std::function<void()> wake);
  // The feeds to drain, on the io thread itself.
  std::vector<std::shared_ptr<session_feed>> take(unsigned thread);

  void push(unsigned thread, std::shared_ptr<session_feed> feed);
  unsigned threads() const { return static_cast<unsigned>(slots_.size()); }

 private:
  struct slot {
    std::mutex mutex;
    std::vector<std::shared_ptr<session_feed>> feeds;
    std::function<void()> wake;
    bool awake = false;
  };
  std::vector<slot> slots_;
};

class feed_registry {
 public:
  feed_registry(unsigned threads, const feed_limits& limits) : limits_(limits), wakers_(threads) {}
  feed_registry(const feed_registry&) = delete;
  feed_registry& operator=(const feed_registry&) = delete;

  // Readers: the session's feed, made if there is none.
  std::shared_ptr<session_feed> acquire(const session_key& key);
  // Publishers: null when nobody listens, and then there is nothing to encode.
  std::shared_ptr<session_feed> find(const session_key& key) const;

  // Ends the session's feed, if there is one; a later session of that key gets a new feed.
  void finish(const session_key& key, feed_end how);
  void finish_all(feed_end how);

  // Those whose own stream somebody may follow: a tenant's, or a person's.
  std::vector<tenant_id> tenants_followed() const;
  bool is_followed(const tenant_id& tenant) const;
  // The feeds of those streams.
  std::vector<std::shared_ptr<session_feed>> followed(const tenant_id& tenant) const;

  // Drops feeds that nobody has held since `idle_ms` before now, the longest idle first where there
  // are more than idle_feeds_max, and empties quiet rings. Call it about every second.
  void sweep(std::int64_t now_ms);

  feed_wakers& wakers() { return wakers_; }
  std::size_t size() const;

 private:
  struct slot {
    std::shared_ptr<session_feed> feed;
    std::int64_t idle_since_ms = -1;  // -1: in use at the last sweep
  };

  using feeds = std::unordered_map<session_key, slot>;
  feeds::iterator erase(feeds::iterator which);

  const feed_limits limits_;
  feed_wakers wakers_;
  mutable std::mutex mutex_;
  feeds feeds_;
  std::unordered_map<tenant_id, std::unordered_set<session_id>> followed_;  // of feeds_
};

// The feed of a tenant's own stream, which tells of all; no session has that id.
inline session_key tenant_feed_key(tenant_id tenant) {
  return {std::move(tenant), session_id{"@me"}};
}
// That of one of its users, which tells of what he may see.
inline session_key person_feed_key(tenant_id tenant, std::string_view user) {
  return {std::move(tenant), session_id{"@me\n" + std::string(user)}};
}
inline bool is_own_stream(const session_id& id) {
  return id.value.starts_with("@me");
}
// As readers know it.
inline session_id shown_id(const session_id& id) {
  return is_own_stream(id) ? tenant_feed_key({}).session : id;
}
// Whose feed it is; empty: a tenant's.
inline std::string_view person_of(const session_id& id) {
  return std::string_view(id.value).substr(std::min<std::size_t>(4, id.value.size()));
}

}  // namespace soma
