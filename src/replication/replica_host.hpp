// Runs this node's part in every partition of one topic over Kafka: what is read of a partition's
// log is judged, carried out in the store in one batch with the place, then told; what this node
// writes as an owner goes out by one producer. cluster/partition_replica.hpp decides all of it;
// this is its clock, its log and its store.
//
// Threads: one of its own reads, applies, ticks, and calls everybody back: answers, watchers and
// who follows what is applied. They must not wait for a write. Members are thread-safe; those that
// write may read a row of the store first, and wait for a record of the same partition to be
// carried out. Lifetime: the store outlives it. Its end answers whoever waits with `unknown`.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cluster/partition_host.hpp"
#include "cluster/placement.hpp"
#include "kafka/log_consumer.hpp"
#include "kafka/record_producer.hpp"
#include "replication/partition_rows.hpp"

namespace soma::replication {

struct host_settings {
  kafka::client_settings client{};
  std::string topic = "session.events";
  std::uint32_t partitions = cluster::partitions_default;
  bool single_broker = false;
  std::string node{};
  cluster::replica_rules rules{};
  // May write the first record of a log that is empty.
  bool founds = true;
  // Of its claims, until may_claim says otherwise; none: it claims nothing until then.
  std::optional<std::uint32_t> rank = 0;
};

class replica_host final : public cluster::partition_host {
 public:
  // Makes the topic or checks it, and begins to read. Blocks up to `wait` for Kafka. Errors: those
  // of the topic and of the store.
  static result<std::unique_ptr<replica_host>> open(host_settings how,
                                                    storage::replica_store& store,
                                                    std::chrono::milliseconds wait);
  ~replica_host() override;

  std::uint32_t partitions() const override { return how_.partitions; }
  cluster::partition_view look(std::uint32_t partition) const override;
  void may_claim(std::uint32_t partition, std::optional<std::uint32_t> rank) override;
  void node_down(const std::string& node) override;
  void give_up(std::uint32_t partition, std::string to) override;
  cluster::admission submit(std::uint32_t partition, cluster::atom one, answered then) override;
  void watch(watcher who) override;

  // As submit, with what the rules of heads and stages had against an atom that counted.
  using written = std::function<void(const cluster::append_answer&, const std::optional<error>&)>;
  cluster::admission write(std::uint32_t partition, cluster::atom one, written then);

  const cluster::partition_facts& facts(std::uint32_t partition) const;
  // Of the claim under which this node owns it; 0: it does not.
  std::uint32_t epoch_of(std::uint32_t partition) const;
  // Of all that counted there: two nodes that have read as far have the same.
  std::uint64_t digest(std::uint32_t partition) const;
  // Every append of every partition, as it becomes true here. As session_log::on_applied.
  void on_applied(storage::session_log::applied told);
  // All partitions are read to their end, and each has an owner or is stopped. Waits up to `wait`.
  bool settled(std::chrono::milliseconds wait) const;

 private:
  struct waiting {
    std::int64_t until_ms = 0;
    written then;
  };
  struct part;
  struct told;  // what is to be said once no lock is held

  replica_host(host_settings how, storage::replica_store& store);
  result<void> begin(std::chrono::milliseconds wait);
  result<void> make_producer();
  void run();
  void on_read(const kafka::read_from_log& one);
  void on_record(part& of, const kafka::read_from_log& one, told& out);
  bool carry_out(part& of, const kafka::read_from_log& one, const cluster::reading& what,
                 bool claimed, told& out);
  void tick_all();
  void take(part& of, cluster::actions& what, told& out);
  void stop(part& of, cluster::reason why, std::string detail, told& out);
  void remake_producer(part* first, std::vector<std::string> records);
  void send(part& of, const std::vector<std::string>& records);
  void look_at(part& of, told& out);
  void say(told& out);

  const host_settings how_;
  const std::string incarnation_;
  storage::replica_store& store_;
  std::vector<std::unique_ptr<part>> parts_;
  std::unique_ptr<kafka::log_consumer> consumer_;

  mutable std::mutex producer_mutex_;  // taken last
  std::shared_ptr<kafka::record_producer> producer_;
  std::atomic<std::uint64_t> generation_ = 0, failed_generation_ = 0;

  std::mutex told_mutex_;  // of the callbacks, held while they are called
  watcher watcher_;
  storage::session_log::applied applied_;

  std::atomic<bool> ending_ = false, disk_full_ = false;
  std::thread thread_;
};

}  // namespace soma::replication
