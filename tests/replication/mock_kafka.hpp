// librdkafka's mock cluster: brokers that lie in the process, forget beyond some 5 MB a partition,
// and can be made to fail one by one. Real ones are the proof (tests/components/kafka).
#pragma once

#include <doctest/doctest.h>
#include <librdkafka/rdkafka.h>
// Needs the one above.
#include <librdkafka/rdkafka_mock.h>

#include <string>

namespace soma::testing {

class mock_kafka {
 public:
  explicit mock_kafka(int brokers)
      : client_(rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), nullptr, 0)),
        cluster_(rd_kafka_mock_cluster_new(client_, brokers)) {
    REQUIRE(cluster_ != nullptr);
  }
  ~mock_kafka() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(client_);
  }
  mock_kafka(const mock_kafka&) = delete;

  std::string address() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  void make_topic(const std::string& name, int partitions) {
    REQUIRE(rd_kafka_mock_topic_create(cluster_, name.c_str(), partitions, 1) ==
            RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void lead(const std::string& topic, int partition, int broker) {
    REQUIRE(rd_kafka_mock_partition_set_leader(cluster_, topic.c_str(), partition, broker) ==
            RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void down(int broker) { rd_kafka_mock_broker_set_down(cluster_, broker); }
  void up(int broker) { rd_kafka_mock_broker_set_up(cluster_, broker); }
  // What is said of a topic when it is asked for.
  void deny(const std::string& topic, bool denied) {
    rd_kafka_mock_topic_set_error(
        cluster_, topic.c_str(),
        denied ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : RD_KAFKA_RESP_ERR_NO_ERROR);
  }

 private:
  rd_kafka_t* client_;
  rd_kafka_mock_cluster_t* cluster_;
};

}  // namespace soma::testing
