// How many calls may be at providers at once: a provider and a node. What comes on top waits in
// order, tenants by turns and within a tenant its sessions and users by turns, so that nobody's
// burst keeps the others waiting longer than a round. And since a model may talk for minutes, no
// tenant holds all of them: three quarters at most, where there are enough for that to mean
// something.
//
// Thread-safe; never blocks. Shared by all clients of a process.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace soma::llm {

struct place_counts {
  std::size_t running = 0, waiting = 0;
};

struct place_limits {
  std::size_t a_node = 4096, a_provider = 1024;
  std::size_t waiting_max = 100'000;
  // A waiting call is its messages in memory: of all, and of one tenant half of that.
  std::size_t waiting_bytes_max = 256u << 20;
  // Told under a lock whenever the counts change; must not block or call back.
  std::function<void(place_counts)> on_change{};
};

class call_places {
 public:
  using ticket = std::uint64_t;

  explicit call_places(const place_limits& limits = {}) : limits_(limits) {}

  struct claim {
    std::string provider;  // whose places these are: its address
    std::string tenant;
    std::string who;  // a session, or a user of the tenant
    // Called once the place is there, where it had to be waited for: on the thread that gave one
    // back, perhaps before `enter` has returned on its own.
    std::function<void()> go;
    std::size_t bytes = 0;  // that it keeps in memory while it waits
  };
  struct entered {
    ticket which = 0;
    bool now = false;  // the place is there, and `go` is not called
  };
  // None where too many wait already.
  std::optional<entered> enter(claim wanted);
  // The call is over, or no longer wants to wait. `go` may still come, from a thread that called it
  // just before.
  void leave(ticket which);

  place_counts now() const;
  std::size_t waiting_of(const std::string& tenant) const;

 private:
  struct entry {
    claim what;
    bool running = false;
  };
  struct tenant_queue {
    std::deque<std::string> turns;  // of those who wait
    std::map<std::string, std::deque<ticket>> waiting;
  };
  struct provider_queue {
    std::size_t running = 0;
    std::map<std::string, std::size_t> running_of;  // tenants
    std::deque<std::string> turns;                  // of tenants
    std::map<std::string, tenant_queue> waiting;
  };

  bool room_for(const std::string& tenant, const provider_queue& provider) const;
  void runs(const claim& one, provider_queue& at);
  void ran(const claim& one, provider_queue& at);
  bool may_wait(const claim& wanted) const;
  void no_longer_waits(const claim& one);
  void queue(ticket which, const claim& wanted);
  void unqueue(ticket which, const claim& wanted);
  std::optional<ticket> next_of(provider_queue& provider);
  std::vector<std::function<void()>> fill();
  void tell() const;

  const place_limits limits_;
  mutable std::mutex mutex_;
  ticket last_ = 0;
  std::size_t running_ = 0, waiting_ = 0, waiting_bytes_ = 0;
  std::map<std::string, std::size_t> waiting_bytes_of_, running_of_;  // tenants that have some
  std::unordered_map<ticket, entry> entries_;
  std::map<std::string, provider_queue> providers_;  // that have calls
  std::string served_;                               // the provider that was last given a place
};

}  // namespace soma::llm
