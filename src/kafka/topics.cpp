#include "kafka/topics.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "core/codes.hpp"

namespace soma::kafka {
namespace {

constexpr int copies = 3;
constexpr std::size_t batch_overhead_bytes = 4096;  // what Kafka puts around a record
constexpr auto looked_at_every = std::chrono::milliseconds(50);

struct event_deleter {
  void operator()(rd_kafka_event_t* e) const { rd_kafka_event_destroy(e); }
};
using event_handle = std::unique_ptr<rd_kafka_event_t, event_deleter>;
struct new_topic_deleter {
  void operator()(rd_kafka_NewTopic_t* t) const { rd_kafka_NewTopic_destroy(t); }
};
struct resource_deleter {
  void operator()(rd_kafka_ConfigResource_t* r) const { rd_kafka_ConfigResource_destroy(r); }
};
struct metadata_deleter {
  void operator()(const rd_kafka_metadata_t* m) const { rd_kafka_metadata_destroy(m); }
};
using metadata_handle = std::unique_ptr<const rd_kafka_metadata_t, metadata_deleter>;

error away(std::string_view why) {
  return error(codes::dependency_unavailable, "Kafka: " + std::string(why), 1);
}
error otherwise(const log_topic& wanted, const std::string& why) {
  return error(codes::config_invalid, "the topic " + wanted.name + " " + why);
}

std::vector<std::pair<std::string, std::string>> settings_of(const log_topic& wanted) {
  const auto kept_ms = std::to_string(wanted.kept_ms.value_or(-1));
  return {
      {"cleanup.policy", "delete"},
      {"retention.ms", kept_ms},
      {"retention.bytes", "-1"},
      {"unclean.leader.election.enable", "false"},
      {"min.insync.replicas", wanted.single_broker ? "1" : "2"},
      {"max.message.bytes", std::to_string(wanted.record_bytes_max + batch_overhead_bytes)},
  };
}

class admin {
 public:
  using clock = std::chrono::steady_clock;
  admin(client_handle client, clock::time_point until)
      : client_(std::move(client)), queue_(rd_kafka_queue_new(client_.get())), until_(until) {}

  int left_ms() const {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until_ - clock::now()).count();
    return static_cast<int>(std::max<std::int64_t>(left, 1));
  }
  bool over() const { return clock::now() >= until_; }

  result<bool> create(const log_topic& wanted) {
    char why[512] = {};
    const std::unique_ptr<rd_kafka_NewTopic_t, new_topic_deleter> topic(
        rd_kafka_NewTopic_new(wanted.name.c_str(), static_cast<int>(wanted.partitions),
                              wanted.single_broker ? 1 : copies, why, sizeof why));
    if (!topic) return error(codes::config_invalid, why);
    for (const auto& [name, value] : settings_of(wanted))
      rd_kafka_NewTopic_set_config(topic.get(), name.c_str(), value.c_str());
    rd_kafka_NewTopic_t* all[] = {topic.get()};
    rd_kafka_CreateTopics(client_.get(), all, 1, nullptr, queue_.get());
    const event_handle answer(rd_kafka_queue_poll(queue_.get(), left_ms()));
    if (!answer) return away("no answer to the making of " + wanted.name);
    if (rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
      return away(rd_kafka_event_error_string(answer.get()));
    std::size_t count = 0;
    const auto* results = rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result(answer.get()), &count);
    for (std::size_t n = 0; n < count; ++n) {
      const auto code = rd_kafka_topic_result_error(results[n]);
      if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) return false;
      if (code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR)
        return otherwise(wanted, "cannot be made: it needs " + std::to_string(copies) +
                                     " brokers, or cluster.unsafe_single_broker");
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return away("the topic " + wanted.name + " cannot be made: " + rd_kafka_err2name(code));
    }
    return true;
  }

  // None: it is not there.
  result<metadata_handle> look(const log_topic& wanted) {
    topic_handle topic(rd_kafka_topic_new(client_.get(), wanted.name.c_str(), nullptr));
    const rd_kafka_metadata_t* found = nullptr;
    const auto code = rd_kafka_metadata(client_.get(), 0, topic.get(), &found, left_ms());
    metadata_handle kept(found);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return away(rd_kafka_err2str(code));
    if (kept->topic_cnt != 1) return metadata_handle();
    const auto& one = kept->topics[0];
    if (one.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || one.partition_cnt == 0)
      return metadata_handle();
    if (one.err != RD_KAFKA_RESP_ERR_NO_ERROR) return away(rd_kafka_err2name(one.err));
    return kept;
  }

  result<void> check(const log_topic& wanted, const rd_kafka_metadata_t& found) {
    const auto& topic = found.topics[0];
    if (!wanted.kept_ms && topic.partition_cnt != static_cast<int>(wanted.partitions))
      return otherwise(wanted, "has " + std::to_string(topic.partition_cnt) +
                                   " partitions, not cluster.partitions, which are " +
                                   std::to_string(wanted.partitions) + " and never change");
    for (int n = 0; n < topic.partition_cnt; ++n)
      if (const int held = topic.partitions[n].replica_cnt;
          held < (wanted.single_broker ? 1 : copies))
        return otherwise(wanted, "has " + std::to_string(held) +
                                     " copies of a partition; it needs " + std::to_string(copies) +
                                     ", or cluster.unsafe_single_broker");
    return check_settings(wanted);
  }

 private:
  result<void> check_settings(const log_topic& wanted) {
    const std::unique_ptr<rd_kafka_ConfigResource_t, resource_deleter> resource(
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, wanted.name.c_str()));
    rd_kafka_ConfigResource_t* all[] = {resource.get()};
    rd_kafka_DescribeConfigs(client_.get(), all, 1, nullptr, queue_.get());
    const event_handle answer(rd_kafka_queue_poll(queue_.get(), left_ms()));
    if (!answer) return away("no answer on the settings of " + wanted.name);
    if (rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR)
      return away(rd_kafka_event_error_string(answer.get()));
    std::size_t count = 0;
    const auto* described = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(answer.get()), &count);
    for (std::size_t n = 0; n < count; ++n) {
      if (rd_kafka_ConfigResource_error(described[n]) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return away(rd_kafka_ConfigResource_error_string(described[n]));
      std::size_t entries = 0;
      const auto* has = rd_kafka_ConfigResource_configs(described[n], &entries);
      for (std::size_t e = 0; e < entries; ++e) {
        const auto* name = rd_kafka_ConfigEntry_name(has[e]);
        const auto* value = rd_kafka_ConfigEntry_value(has[e]);
        if (auto good = check_one(wanted, name, value ? value : ""); !good) return good;
      }
    }
    return {};
  }

  static result<void> check_one(const log_topic& wanted, std::string_view name,
                                std::string_view value) {
    for (const auto& [key, needed] : settings_of(wanted)) {
      if (key != name || (wanted.kept_ms && name.starts_with("retention."))) continue;
      const bool at_least = key == "min.insync.replicas" || key == "max.message.bytes";
      const auto number = [](std::string_view text) {
        return std::strtoll(std::string(text).c_str(), nullptr, 10);
      };
      if (at_least ? number(value) >= number(needed) : value == needed) continue;
      return otherwise(wanted, "has " + std::string(name) + "=" + std::string(value) +
                                   (at_least ? "; it needs at least " : "; it needs ") + needed);
    }
    return {};
  }

  client_handle client_;
  queue_handle queue_;
  const clock::time_point until_;
};

}  // namespace

result<bool> ensure_topic(const client_settings& settings, const log_topic& wanted,
                          std::chrono::milliseconds wait) {
  auto client = make_client(client_kind::producer, settings, {});
  if (!client) return client.error();
  admin asks(std::move(*client), admin::clock::now() + wait);
  bool made = false;
  for (;;) {
    auto found = asks.look(wanted);
    if (!found) {
      if (asks.over()) return found.error();
    } else if (*found) {
      if (auto good = asks.check(wanted, **found); !good) return good.error();
      return made;
    } else if (!made) {
      const auto created = asks.create(wanted);
      if (!created) return created.error();
      made = *created;
    }
    if (asks.over()) return away("the topic " + wanted.name + " is not to be seen");
    std::this_thread::sleep_for(looked_at_every);
  }
}

}  // namespace soma::kafka
