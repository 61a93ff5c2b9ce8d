// One request and its answer on a connection. Runs on the server's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <string_view>
#include <unordered_map>

#include "rehearsal/conversation.hpp"

namespace soma::rehearsal {

// How often the same conversation was asked while its script wanted a fault.
class fault_counts {
 public:
  // Whether this attempt is to fail; counts it.
  bool strike(const conversation& asked);

 private:
  static constexpr std::size_t conversations_max = 100'000;
  std::unordered_map<std::uint64_t, std::uint32_t> attempts_;
};

// Answers POST /v1/chat/completions. Returns whether the connection is still good for another
// request.
boost::asio::awaitable<bool> answer_chat(boost::asio::ip::tcp::socket& socket,
                                         std::string_view body, bool keep_alive,
                                         fault_counts& faults);

}  // namespace soma::rehearsal
