// The node's doors to Kafka, those that `kafka.doors` names: what comes in by topics of others and
// goes out to them. Kafka being away holds up what goes through a door, and nothing else: each
// opens when it can, and says on the board how it is.
//
// Made, started and stopped by the main thread. Lifetime: outlives the web server, but for the
// doors themselves, which are open from `start` to `stop`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "app/door_board.hpp"
#include "core/config.hpp"
#include "core/secret.hpp"
#include "inbound/inbound_door.hpp"
#include "kafka/client.hpp"
#include "node/record_relay.hpp"
#include "outbound/audit_topic.hpp"
#include "security/audit/audit_log.hpp"

namespace soma {

class web_server;

// Brokers, options and secrets of kafka.*. Errors: config.invalid.
result<kafka::client_settings> kafka_client_of(const config& settings);
// The whole name of a topic of this cluster.
std::string topic_of(const config& settings, std::string_view name);
// Errors: config.invalid with the key that is wrong.
result<void> check_doors(const config& settings);

class kafka_doors {
 public:
  // `server_key`: by which a process by itself is known to a group when it comes again.
  kafka_doors(const config& settings, const secret_string& server_key)
      : settings_(settings), server_key_(server_key) {}

  // Null where none is named.
  const app::door_board* board() const;
  // Once requests are served. Errors: config.invalid.
  // `cluster`: null where this node is alone.
  result<void> start(web_server& web, const security::audit_log& audit, node_cluster* cluster);
  // While the io threads still run; waits for what is under way, within some seconds.
  void take_no_more();
  // Once they do not, and before they are gone.
  void let_go();
  // At the end, also of what goes out.
  void stop();

 private:
  const config& settings_;
  const secret_string& server_key_;
  app::door_board board_;
  std::unique_ptr<outbound::audit_topic> audit_;
  std::unique_ptr<record_relay> relay_;  // null: this node is alone
  std::unique_ptr<inbound::inbound_door> inbound_;
};

}  // namespace soma
