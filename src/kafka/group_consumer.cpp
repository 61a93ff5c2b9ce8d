#include "kafka/group_consumer.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>

#include "core/codes.hpp"

namespace soma::kafka {
namespace {

constexpr std::size_t batch_overhead_bytes = 4096;
// Of all partitions, beside one record.
constexpr std::size_t queue_kbytes = 8192;
// A member that is silent for so long is dead to its group.
constexpr const char* session_timeout_ms = "10000";
constexpr const char* told_every_ms = "200";
constexpr std::chrono::seconds closed_within(5);
constexpr int close_polled_ms = 50;

struct message_deleter {
  void operator()(rd_kafka_message_t* m) const { rd_kafka_message_destroy(m); }
};
using message_handle = std::unique_ptr<rd_kafka_message_t, message_deleter>;
struct list_deleter {
  void operator()(rd_kafka_topic_partition_list_t* l) const {
    rd_kafka_topic_partition_list_destroy(l);
  }
};
using list_handle = std::unique_ptr<rd_kafka_topic_partition_list_t, list_deleter>;

list_handle list_of(const std::string& topic, std::int32_t partition) {
  list_handle list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  return list;
}

void add_headers(group_record& to, const rd_kafka_message_t& from) {
  rd_kafka_headers_t* all = nullptr;
  if (rd_kafka_message_headers(&from, &all) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  for (std::size_t n = 0;
       rd_kafka_header_get_all(all, n, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++n) {
    header_view one;
    one.name = name;
    if (value) one.value = std::string_view(static_cast<const char*>(value), size);
    to.headers.push_back(one);
  }
}

void give(const rd_kafka_message_t& m, const group_consumer::taker& take) {
  group_record one;
  one.partition = m.partition;
  one.offset = m.offset;
  rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  one.at_ms = std::max<std::int64_t>(rd_kafka_message_timestamp(&m, &kind), 0);
  if (m.key) one.key = std::string_view(static_cast<const char*>(m.key), m.key_len);
  if (m.payload) one.value = std::string_view(static_cast<const char*>(m.payload), m.len);
  add_headers(one, m);
  take(one);
}

}  // namespace

// Never by an exception: it is called from C.
void group_consumer::on_rebalance(void* opaque, rd_kafka_s* client, int code,
                                  rd_kafka_topic_partition_list_s* partitions) {
  auto& self = *static_cast<group_consumer*>(opaque);
  const bool gains = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  try {
    const auto& tell = gains ? self.how_.gained : self.how_.lost;
    for (int n = 0; n < partitions->cnt; ++n) tell(partitions->elems[n].partition);
  } catch (...) {
  }
  rd_kafka_assign(client, gains ? partitions : nullptr);
}

void group_consumer::set_trouble(std::string why, bool for_good) {
  const std::lock_guard lock(mutex_);
  if (failed_) return;
  trouble_ = std::move(why);
  failed_ = for_good;
}

result<std::unique_ptr<group_consumer>> group_consumer::make(const client_settings& settings,
                                                             options how) {
  std::unique_ptr<group_consumer> made(new group_consumer(std::move(how)));
  const auto& o = made->how_;
  const auto record = o.record_bytes_max + batch_overhead_bytes;
  own_options own = {
      {"group.id", o.group},
      {"session.timeout.ms", session_timeout_ms},
      {"heartbeat.interval.ms", "1000"},
      // What is done with is stored by `store`, and told by librdkafka, also where partitions go.
      {"enable.auto.commit", "true"},
      {"auto.commit.interval.ms", told_every_ms},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "earliest"},
      {"isolation.level", "read_committed"},
      {"check.crcs", "true"},
      {"enable.partition.eof", "false"},
      {"fetch.error.backoff.ms", "100"},
      {"fetch.wait.max.ms", "100"},
      {"topic.metadata.refresh.interval.ms", "10000"},
      {"queued.max.messages.kbytes", std::to_string(queue_kbytes)},
      {"max.partition.fetch.bytes", std::to_string(record)},
  };
  if (!o.member.empty()) own.emplace_back("group.instance.id", o.member);
  client_calls calls;
  calls.opaque = made.get();
  calls.rebalanced = &group_consumer::on_rebalance;
  calls.failed = [](void* opaque, const char* why) {
    static_cast<group_consumer*>(opaque)->set_trouble(why, true);
  };
  calls.troubled = [](void* opaque, const char* why) {
    static_cast<group_consumer*>(opaque)->set_trouble(why, false);
  };
  auto client = make_client(client_kind::consumer, settings, own, calls);
  if (!client) return client.error();
  made->client_ = std::move(*client);
  made->topic_.reset(rd_kafka_topic_new(made->client_.get(), o.topic.c_str(), nullptr));
  rd_kafka_poll_set_consumer(made->client_.get());
  const auto topics = list_of(o.topic, RD_KAFKA_PARTITION_UA);
  const auto code = rd_kafka_subscribe(made->client_.get(), topics.get());
  if (!made->topic_ || code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return error(codes::dependency_unavailable,
                 std::string("Kafka's client cannot read the topic: ") + rd_kafka_err2str(code), 1);
  return made;
}

// As rd_kafka_consumer_close, which waits for brokers that are away for as long as they are.
group_consumer::~group_consumer() {
  if (!client_) return;
  const auto until = std::chrono::steady_clock::now() + closed_within;
  const queue_handle last(rd_kafka_queue_new(client_.get()));
  if (auto* failed = rd_kafka_consumer_close_queue(client_.get(), last.get())) {
    rd_kafka_error_destroy(failed);
    return;
  }
  while (!rd_kafka_consumer_closed(client_.get()) && std::chrono::steady_clock::now() < until)
    rd_kafka_queue_poll_callback(last.get(), close_polled_ms);
}

std::size_t group_consumer::poll(std::chrono::milliseconds wait, std::size_t most,
                                 const taker& take) {
  std::size_t came = 0;
  for (auto at_most = static_cast<int>(wait.count()); came < most; at_most = 0) {
    const message_handle one(rd_kafka_consumer_poll(client_.get(), at_most));
    if (!one) break;
    if (one->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      set_trouble(rd_kafka_err2str(one->err), one->err == RD_KAFKA_RESP_ERR__FATAL);
      break;
    }
    if (came == 0) set_trouble({}, false);
    give(*one, take);
    ++came;
  }
  return came;
}

void group_consumer::hold_back(std::int32_t partition, bool wanted) {
  const auto list = list_of(how_.topic, partition);
  if (wanted)
    rd_kafka_pause_partitions(client_.get(), list.get());
  else
    rd_kafka_resume_partitions(client_.get(), list.get());
}

void group_consumer::store(std::int32_t partition, std::int64_t next) {
  const auto list = list_of(how_.topic, partition);
  list->elems[0].offset = next;
  (void)rd_kafka_offsets_store(client_.get(), list.get());  // one that went is another's to store
}

std::int64_t group_consumer::known_end(std::int32_t partition) const {
  std::int64_t low = 0, high = -1;
  const auto code =
      rd_kafka_get_watermark_offsets(client_.get(), how_.topic.c_str(), partition, &low, &high);
  return code == RD_KAFKA_RESP_ERR_NO_ERROR ? high : -1;
}

std::string group_consumer::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

bool group_consumer::has_failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

void group_consumer::look(std::chrono::milliseconds wait) {
  if (trouble().empty() || has_failed()) return;
  const rd_kafka_metadata_t* found = nullptr;
  const auto code =
      rd_kafka_metadata(client_.get(), 0, topic_.get(), &found, static_cast<int>(wait.count()));
  std::string why;
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
    why = rd_kafka_err2str(code);
  else if (found->topic_cnt == 1 && found->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
    why = rd_kafka_err2str(found->topics[0].err);
  if (found) rd_kafka_metadata_destroy(found);
  set_trouble(std::move(why), false);
}

}  // namespace soma::kafka
