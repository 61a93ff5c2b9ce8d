// Runs this node's part in every partition of one topic over Kafka: what is read of a partition's
// log is judged, carried out in the store in one batch with the place, then told; what this node
// writes as an owner goes out by one producer. cluster/partition_replica.hpp decides all of it;
// this is its clock, its log and its store.
//
// What goes wrong in one partition stays there: a record that could not be delivered has it claim
// anew in that partition alone; one for which the disk has no room is kept aside, and the node
// falls silent there until it is carried out; a log that cannot be read on is looked at again
// (log_doubt.hpp) before the partition stops. Only a producer that has failed as a whole is made
// anew, for all.
//
// Threads, all its own: one reads, applies, ticks, and calls back: answers, and who follows what is
// applied; they must not wait for a write. One tells the watcher when a lease has ended, whatever
// the first waits for: so the watcher is called on either. One does what waits for brokers.
// Members are thread-safe. `write` may read a row of the store, and waits while a record of the
// same partition is carried out; all others wait for nothing. Lifetime: the store outlives it. Its
// end answers whoever waits with `unknown`.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cluster/partition_host.hpp"
#include "cluster/placement.hpp"
#include "kafka/log_consumer.hpp"
#include "kafka/record_producer.hpp"
#include "replication/log_doubt.hpp"
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
  doubt_rules doubts{};
  // Of records written and not yet read, in all partitions together.
  std::size_t flight_bytes_max = 256u << 20;
  // Makes the topic, or looks at how it is set up. (The brokers of a test know no such question.)
  bool checks_topic = true;
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
  // Orders: carried out in a moment, by its thread.
  void may_claim(std::uint32_t partition, std::optional<std::uint32_t> rank) override;
  void node_down(const std::string& node) override;
  // It goes to `to` once nothing here acts in it any more, by `rests`. If that takes longer than a
  // lease this node only falls silent, and its lease runs out.
  void give_up(std::uint32_t partition, std::string to) override;
  cluster::admission submit(std::uint32_t partition, cluster::atom one, answered then) override;
  void watch(watcher who) override;
  // Whether no effect of a partition runs here any more, asked after the watcher was told that it
  // may not act. Must not wait. Without one a moment has to do.
  using resting = std::function<bool(std::uint32_t partition)>;
  void rests(resting asked);

  // As submit, with what the rules of heads and stages had against an atom that counted.
  using written = std::function<void(const cluster::append_answer&, const std::optional<error>&)>;
  cluster::admission write(std::uint32_t partition, cluster::atom one, written then);

  const partition_rows& facts(std::uint32_t partition) const;
  // Of the claim under which this node owns it; 0: it does not.
  std::uint32_t epoch_of(std::uint32_t partition) const;
  // Whoever writes is answered within.
  std::chrono::milliseconds answers_within() const {
    return std::chrono::milliseconds(how_.rules.commit_timeout_ms + how_.rules.lease_ms);
  }
  // Of all that counted there: two nodes that have read as far have the same.
  std::uint64_t digest(std::uint32_t partition) const;
  // Every append of every partition, as it becomes true here. As session_log::on_applied.
  void on_applied(storage::session_log::applied told);
  // What was derived from another partition had its turn in that of documents, as it was judged
  // there; called as `on_applied` is.
  using derived = std::function<void(const cluster::source_tag&, const cluster::judgement&)>;
  void on_derived(derived told);
  // All partitions are read to their end, and each has an owner or is stopped. Waits up to `wait`.
  bool settled(std::chrono::milliseconds wait) const;

 private:
  struct waiting {
    std::int64_t until_ms = 0;
    written then;
  };
  struct part;
  struct told;     // what is to be said once no lock is held
  struct counted;  // a record that is to be carried out
  using stop_reason = cluster::reason;

  replica_host(host_settings how, storage::replica_store& store);
  result<void> begin(std::chrono::milliseconds wait);

  // The thread.
  void run();
  void on_read(const kafka::read_from_log& one);
  void on_record(part& of, const kafka::read_from_log& one, told& out);
  std::unique_ptr<counted> prepare(part& of, const kafka::read_from_log& one,
                                   cluster::reading& what, bool claimed, told& out);
  void carry_out(part& of, std::unique_ptr<counted> one, told& out);
  void try_again(part& of, std::int64_t now_ms, told& out);
  void doubt(part& of, std::string why, bool halted);
  void look_into(part& of, cluster::clocks now, told& out);
  void tick_all();
  void tick(part& of, cluster::clocks now, told& out);
  void tick_giving_up(part& of, cluster::clocks now, told& out);
  void take_orders();
  void take(part& of, cluster::actions& what, told& out);
  void stop(part& of, stop_reason why, std::string detail, told& out);
  void look_at(part& of, told& out);
  void say(part& of, told& out);

  // Writing.
  result<void> make_producer();
  void remake_producer();
  void send(part& of, const std::vector<std::string>& records);
  void count_flight(part& of);
  void not_delivered(std::uint32_t partition, std::uint64_t tag, std::string_view why);

  // The other two.
  void watch_leases();
  void tell(part& of);
  void run_errands();
  void errand(std::function<void()> what);

  const host_settings how_;
  const std::string incarnation_;
  storage::replica_store& store_;
  std::vector<std::unique_ptr<part>> parts_;
  std::unique_ptr<kafka::log_consumer> consumer_;

  mutable std::mutex producer_mutex_;  // taken last
  std::shared_ptr<kafka::record_producer> producer_;
  std::atomic<std::uint64_t> generation_ = 0, failed_generation_ = 0;
  std::atomic<std::size_t> flight_bytes_ = 0;

  std::mutex orders_mutex_;  // held for moments
  struct orders {
    std::map<std::uint32_t, std::optional<std::uint32_t>> ranks;
    std::map<std::uint32_t, std::string> give_ups;
    std::set<std::string> down;
  } orders_;

  std::mutex told_mutex_;  // of the callbacks, held while they are called
  storage::session_log::applied applied_;
  derived derived_;
  std::mutex watcher_mutex_;  // the same
  watcher watcher_;
  std::mutex rests_mutex_;  // the same
  resting rests_;

  std::mutex errands_mutex_;
  std::condition_variable errands_any_;
  std::deque<std::function<void()>> errands_;

  std::atomic<bool> ending_ = false, disk_full_ = false;
  std::int64_t room_looked_for_ms_ = 0;
  std::thread thread_, leases_thread_, errands_thread_;
};

}  // namespace soma::replication
