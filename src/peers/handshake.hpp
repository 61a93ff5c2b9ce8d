// How two nodes show each other that they have the same secrets, and neither says anything that
// somebody who hears it could use: each draws a number, and proves over both, and over all that it
// says of itself. Pure but for the draw; thread-safe.
#pragma once

#include <caf/actor_control_block.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "peers/messages.hpp"
#include "peers/node_links.hpp"

namespace soma::peers {

enum class side : std::uint8_t { asks, answers };

std::string new_nonce();

// Of who says `what`; `first` and `second`: the numbers of who asked and who answered.
proof prove(const identity& secrets, side of, const hello& what, const std::string& first,
            const std::string& second);
// Why what it proved does not hold, in a sentence; none: it has the secrets.
std::optional<std::string> disproved(const identity& secrets, side of, const hello& what,
                                     const std::string& first, const std::string& second,
                                     const proof& shown);
// The same of an answer to a hello of that number.
std::optional<std::string> disproved_answer(const identity& secrets, const hello& said,
                                            const std::string& asked);

// Why it is of no node of this cluster, by what anybody may know; none: it may be.
std::optional<std::string> is_of_another(const identity& mine, std::uint32_t partitions,
                                         std::uint64_t incarnation, const hello& of);

// Who has said hello and not yet proved it, each for some seconds. One thread.
class greetings {
 public:
  static constexpr std::size_t greeted_max = 256;
  static constexpr std::int64_t kept_ms = 3'000;

  // `mine` with its proof.
  hello answer(const identity& secrets, hello mine, const hello& said, caf::strong_actor_ptr who,
               std::int64_t now_ms);
  // Whose hello it is, and why it is not believed or goes no further. None: nobody was greeted.
  std::optional<std::pair<hello, std::optional<std::string>>> take(
      const identity& secrets, const proof& shown, const caf::strong_actor_ptr& who);

 private:
  struct greeting {
    hello said;
    caf::strong_actor_ptr who;
    std::int64_t at_ms = 0;
  };
  std::map<std::string, greeting> all_;  // by the number that they are to prove it over
};

}  // namespace soma::peers
