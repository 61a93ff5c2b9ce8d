// What relay.cpp is made of: who owns a partition, what is handed to another node, and how far a
// node has read. Private to relay.
//
// Threads: each request is of one io thread, and uses that thread's part.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/cluster.hpp"
#include "http/routes/relay.hpp"

namespace soma::http {

struct owner_relay::parts {
  // What is asked of a partition's owner for all who wait for it on a thread.
  struct question {
    std::uint64_t begun = 0, ended = 0;  // counts
    bool under_way = false;
    std::chrono::steady_clock::time_point not_before{};  // behind one that nobody answered
    std::optional<cluster::read_position> answer;        // to the last that ended
  };
  struct of_thread {
    std::unique_ptr<node_client> client;
    std::map<std::uint32_t, question> questions{};  // by partition
  };

  const app::cluster_node& in;
  const relay_waits waits;
  const std::string key;
  std::vector<of_thread> threads{};
  std::atomic<std::uint64_t> handed_over{0}, failed{0}, waited{0}, asked{0};
  std::atomic<std::size_t> waiting{0};  // for an owner, at this moment
};

namespace relaying {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

// Between two looks whether there is an owner, or whether enough is read: each costs a lock that
// nobody holds for long.
inline constexpr milliseconds owner_poll(25), position_poll(2), position_poll_max(20);
// Between two tries of what another node refused, doubling: it is about to own, or not to.
inline constexpr milliseconds again_first(25), again_max(400);
// Requests that wait for an owner, of all threads; what comes beyond is told at once that there is
// none.
inline constexpr std::size_t waiting_max = 4'096;
// Positions that a request may name.
inline constexpr std::size_t positions_max = 64;
// What a node answers that refused before it did anything; never passed on to a client.
inline constexpr static_text not_begun_header = "Soma-Not-Begun";

asio::awaitable<void> pause(owner_relay::parts& g, const request_context& ctx, milliseconds wait);

error no_owner();
error not_mine();
error is_behind();

// The owner, once there is one that can be asked: this node, or one that is heard. `at_once`: what
// is written needs no lease, and this node may have claimed it only just now. Of another node's
// request only this node comes into question, and is not waited for unless it has claimed it.
struct found_owner {
  app::cluster_node::owner who;
  bool is_here = false;  // it is carried out here
};
asio::awaitable<found_owner> find_owner(owner_relay::parts& g, const request_context& ctx,
                                        std::uint32_t partition, bool at_once,
                                        clock::time_point until);

// One try at another node.
enum class outcome : std::uint8_t {
  answered,
  refused,  // before anything was done: another may be asked
  undone,   // what it tried was not written; it may have been one of several writes
  unsure,   // it may have been carried out
};
struct tried {
  outcome how = outcome::refused;
  response answer{};  // answered, undone
};
asio::awaitable<tried> hand_to(owner_relay::parts& g, request_context& ctx,
                               app::cluster_node::owner to, const std::string& own_key);

// Whether it says that what was tried did not become true in the log.
bool is_undone(const response& answer);

// How far the owner of a partition had read it at some moment after this was called: what was told
// to anybody before is before that place. One question a partition is under way on a thread, for
// all who came before it began. None: nobody could be asked in time.
asio::awaitable<std::optional<cluster::read_position>> position_of_owner(owner_relay::parts& g,
                                                                         request_context& ctx,
                                                                         std::uint32_t partition);
// The answer to such a question of another node; none: the request is none.
std::optional<response> answer_to_question(owner_relay::parts& g, const request_context& ctx);

// Which positions a request says that it rests on ("p.o, p.o").
std::vector<cluster::read_position> positions_in(const request_context& ctx);
std::optional<cluster::read_position> position_in(const response& answer);
void say_position(response& answer, const app::cluster_node& in, std::uint32_t partition);
// False: not within `at_most`.
asio::awaitable<bool> applied(owner_relay::parts& g, const request_context& ctx,
                              cluster::read_position wanted, milliseconds at_most);
asio::awaitable<bool> applied_what_it_names(owner_relay::parts& g, const request_context& ctx);

}  // namespace relaying
}  // namespace soma::http
