// Who failed to prove an identity, by address, and how long what could be guessed is not judged for
// it: some failures are free; then it waits, for twice as long each time that it goes on, up to a
// bound. Whoever is quiet for as long as the longest wait begins anew.
//
// An address of IPv6 counts with its network of 64 bits, and with the one of 48 around it, which
// has more for free (peer_network.hpp). Bounded: past `peers_max` those that are over are
// forgotten, and where few are, those that failed least: many addresses bring nobody his free
// failures back.
//
// Not thread-safe. Times are milliseconds of one clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace soma::security {

class failed_attempts {
 public:
  static constexpr std::size_t peers_max = 4096;
  static constexpr int free_max = 20;                // within `window_ms`
  static constexpr int free_again_max = 5;           // of one that waited already
  static constexpr int site_times = 10;              // as many for free has a network of 48 bits
  static constexpr std::int64_t window_ms = 60'000;  // also the first wait
  static constexpr std::int64_t wait_ms_max = 16 * window_ms;

  // How long `peer` waits, at `now_ms`; 0: not at all.
  std::int64_t wait_ms(std::string_view peer, std::int64_t now_ms) const;
  // One that does not wait failed.
  void failed(std::string_view peer, std::int64_t now_ms);

  std::size_t size() const { return peers_.size(); }

 private:
  struct entry {
    int count = 0;
    int waited = 0;             // times
    std::int64_t since_ms = 0;  // of what is counted
    std::int64_t until_ms = 0;  // it waits
    bool is_over(std::int64_t now_ms) const;
  };
  void count(const std::string& name, int times, std::int64_t now_ms);
  void make_room(std::int64_t now_ms);

  std::unordered_map<std::string, entry> peers_;
};

}  // namespace soma::security
