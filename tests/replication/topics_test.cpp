// A topic is made as it has to be, and one that is otherwise is refused by name.
#include "kafka/topics.hpp"

#include "core/codes.hpp"
#include "kafka_store.hpp"

using namespace soma;
using namespace std::chrono_literals;

namespace {

kafka::client_settings here() {
  kafka::client_settings settings;
  settings.brokers = storage::testing::test_brokers();
  return settings;
}

kafka::log_topic wanted(std::uint32_t partitions) {
  return {"topics." + new_uuid(), partitions, 1u << 20, true};
}

}  // namespace

TEST_CASE("topics: made once, and found as it was made") {
  const auto topic = wanted(3);
  CHECK(kafka::ensure_topic(here(), topic, 20s).value());
  CHECK_FALSE(kafka::ensure_topic(here(), topic, 20s).value());
}

TEST_CASE("topics: one that is otherwise is refused by what is otherwise") {
  auto topic = wanted(2);
  REQUIRE(kafka::ensure_topic(here(), topic, 20s));
  const auto why = [&] {
    const auto refused = kafka::ensure_topic(here(), topic, 20s);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == codes::config_invalid);
    return refused.error().detail;
  };
  topic.partitions = 3;
  CHECK(why().find("2 partitions") != std::string::npos);
  topic.partitions = 2;
  topic.record_bytes_max = 2u << 20;
  CHECK(why().find("max.message.bytes=") != std::string::npos);
  topic.record_bytes_max = 1u << 20;
  topic.single_broker = false;
  CHECK(why().find("cluster.unsafe_single_broker") != std::string::npos);
}

TEST_CASE("topics: three copies need three brokers") {
  auto topic = wanted(1);
  topic.single_broker = false;
  const auto refused = kafka::ensure_topic(here(), topic, 20s);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == codes::config_invalid);
  CHECK(refused.error().detail.find("cluster.unsafe_single_broker") != std::string::npos);
}

TEST_CASE("topics: no broker is told in time") {
  auto nowhere = here();
  nowhere.brokers = "127.0.0.1:1";
  const auto refused = kafka::ensure_topic(nowhere, wanted(1), 300ms);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == codes::dependency_unavailable);
}

TEST_CASE("options: passed on by name, but for what is ours and what is unknown") {
  CHECK(kafka::parse_options({"socket.keepalive.enable=true", "ssl.ca.location=/x=y"})->back() ==
        std::pair<std::string, std::string>("ssl.ca.location", "/x=y"));
  for (const char* text :
       {"acks=1", "enable.idempotence=false", "sasl.password=hunter2", "ssl.key.pem=hunter2",
        "ssl.keystore.password=hunter2", "sasl.oauthbearer.client.secret=hunter2",
        "queuing.strategy=lifo", "queue.buffering.max.kbytes=1", "compression.codec=zstd",
        "no.such.option=1", "socket.timeout.ms=many", "without", "=x"}) {
    CAPTURE(text);
    const auto refused = kafka::parse_options({text});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == codes::config_invalid);
    CHECK(refused.error().detail.find("hunter2") == std::string::npos);
  }
}
