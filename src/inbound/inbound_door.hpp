// The consumer of `conversation.inbound`: a member of a group that takes records of its partitions,
// has each carried out once all of its session before it are, and tells the group how far it is
// after the answers. What is refused for good is written to `<topic>.dlq` first. So a record may
// come again, and is known again by its key.
//
// Threads: one of its own, which waits for Kafka; what a record asks for runs on the io threads.
// Its state is on the board, where others look. Lifetime: what it needs outlives it; the io threads
// run from `start` until it has stopped.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/door_board.hpp"
#include "inbound/carry_out.hpp"
#include "inbound/inbound_record.hpp"
#include "inbound/record_flow.hpp"
#include "kafka/client.hpp"

namespace soma::inbound {

struct door_options {
  kafka::client_settings client;
  std::string group, member;  // kafka/group_consumer.hpp
  record_rules rules;         // and the topic
  flow_limits flow;
  // Of both topics, where they are made.
  std::uint32_t partitions = 12;
  std::int64_t kept_ms = 0;
  bool single_broker = false;
  std::int64_t retry_ms_max = 10'000;  // between two tries
  std::int64_t give_up_ms = 900'000;   // of what may pass and does not
};

struct door_needs {
  app::services& services;
  app::door_board& board;
  std::vector<boost::asio::io_context*> io;  // by caller::io_thread
  other_nodes* others = nullptr;             // null: this node is alone
};

inline constexpr const char* refused_suffix = ".dlq";

class inbound_door {
 public:
  static std::unique_ptr<inbound_door> start(const door_needs& needs, door_options how);
  // Takes nothing more, waits up to `at_most` for what is under way, tells the group.
  void stop(std::chrono::milliseconds at_most = std::chrono::seconds(10));
  ~inbound_door();

 private:
  struct impl;
  explicit inbound_door(std::unique_ptr<impl> made);

  const std::unique_ptr<impl> impl_;
};

}  // namespace soma::inbound
