#include "inbound/inbound_door.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "core/codes.hpp"
#include "core/thread_name.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "kafka/group_consumer.hpp"
#include "kafka/record_sender.hpp"
#include "kafka/topics.hpp"
#include "observability/log.hpp"

namespace soma::inbound {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;

constexpr std::size_t taken_at_once = 16;  // what may come beyond a bound
constexpr milliseconds polled_while_busy(5), polled_while_idle(100);
constexpr milliseconds opened_within(2'000), opened_again_after(1'000),
    opened_wrongly_again_after(15'000), looked_for(200);
constexpr std::int64_t looked_every_ms = 1'000, shown_every_ms = 500, retry_ms_min = 100;

std::int64_t steady_ms() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What came of a try, of carrying out or of writing to the topic of the refused.
struct outcome {
  std::uint64_t number = 0;
  std::optional<error> failed;
  bool replayed = false;
};

// Where io threads and the sender's put it.
class mailbox {
 public:
  void put(outcome one) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(one));
  }
  std::vector<outcome> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(all_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<outcome> all_;
};

error no_sender() {
  return {codes::dependency_unavailable, "Kafka's client failed", 1};
}

inbound_record copy_of(const kafka::group_record& from) {
  inbound_record out;
  out.partition = from.partition;
  out.offset = from.offset;
  if (from.key) out.key.emplace(*from.key);
  if (from.value) out.value.emplace(*from.value);
  for (const auto& [name, value] : from.headers) {
    out.headers.emplace_back(std::string(name), std::nullopt);
    if (value) out.headers.back().second.emplace(*value);
  }
  return out;
}

struct held_record {
  inbound_record record;
  inbound_message message;
  std::optional<error> refused{};  // for good: it goes to the topic of those
  bool is_written = false;         // it is on its way there
  std::int64_t first_try_ms = 0;
  unsigned tries = 0;
  std::string last_trouble{};
};

}  // namespace

struct inbound_door::impl {
  impl(const door_needs& n, door_options h) : needs(n), how(std::move(h)), flow(how.flow) {}

  void run();
  result<void> open();
  result<void> open_sender();
  void serve();
  void turn();
  void close();
  void take(const kafka::group_record& one);
  void begin(std::uint64_t number);
  void send_refused(std::uint64_t number, held_record& one);
  void judge_carried(const outcome& one);
  void judge_written(const outcome& one);
  void settle(std::uint64_t number);
  void renew_sender();
  void try_again(std::uint64_t number, held_record& one, const error& why);
  void tell_group();
  void hold_back();
  void show(bool at_once = false);
  void say(std::string trouble);
  void pause(milliseconds so_long);

  const door_needs needs;
  const door_options how;
  record_flow flow;
  std::map<std::uint64_t, held_record> held;
  std::set<std::int32_t> held_back;
  const std::shared_ptr<mailbox> carried = std::make_shared<mailbox>(),
                                 written = std::make_shared<mailbox>();
  std::uint64_t done = 0, again = 0, refused = 0;  // since the start
  std::int64_t shown_ms = 0, looked_ms = 0;
  std::string trouble = "it has not begun yet", told_trouble;

  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<bool> stopping{false};
  std::atomic<std::int64_t> stops_at_ms{0};

  // The last: their ends tell what stands above.
  std::unique_ptr<kafka::record_sender> sender;
  std::unique_ptr<kafka::group_consumer> consumer;
  std::thread thread;
};

void inbound_door::impl::pause(milliseconds so_long) {
  std::unique_lock lock(mutex);
  wake.wait_for(lock, so_long, [this] { return stopping.load(); });
}

void inbound_door::impl::say(std::string why) {
  trouble = std::move(why);
  if (trouble != told_trouble) {
    told_trouble = trouble;
    if (trouble.empty())
      log(log_level::info, "inbound.open", {{"topic", how.rules.topic}});
    else
      log(log_level::warn, "inbound.trouble", {{"topic", how.rules.topic}, {"reason", trouble}});
  }
  show(true);
}

void inbound_door::impl::show(bool at_once) {
  const auto now = steady_ms();
  if (!at_once && now - shown_ms < shown_every_ms) return;
  shown_ms = now;
  double lag = 0;
  if (consumer)
    for (const auto partition : flow.partitions())
      if (const auto end = consumer->known_end(partition); end >= 0)
        lag += static_cast<double>(
            std::max<std::int64_t>(0, end - flow.position(partition).value_or(end)));
  app::door_state state;
  state.trouble = trouble;
  // One that holds up what comes behind it is worth a word.
  std::int64_t oldest = 0;
  for (const auto& [number, one] : held) {
    if (one.first_try_ms == 0 || now - one.first_try_ms < how.retry_ms_max) continue;
    oldest = std::max(oldest, now - one.first_try_ms);
    if (state.trouble.empty())
      state.trouble = "a record is tried again and again: " + one.last_trouble;
  }
  state.figures = {{"inbound_lag", lag},
                   {"inbound_held", static_cast<double>(held.size())},
                   {"inbound_oldest_s", static_cast<double>(oldest) / 1000},
                   {"inbound_done", static_cast<double>(done)},
                   {"inbound_again", static_cast<double>(again)},
                   {"inbound_refused", static_cast<double>(refused)}};
  needs.board.put(how.rules.topic, std::move(state));
}

result<void> inbound_door::impl::open_sender() {
  kafka::record_sender::options sends;
  sends.topic = how.rules.topic + refused_suffix;
  sends.record_bytes_max = how.rules.record_bytes_max + refused_headers_bytes_max;
  sends.settled = [to = written](std::uint64_t number, std::string_view why) {
    outcome one;
    one.number = number;
    if (!why.empty())
      one.failed.emplace(codes::dependency_unavailable, "Kafka: " + std::string(why), 1);
    to->put(std::move(one));
  };
  auto made = kafka::record_sender::make(how.client, std::move(sends));
  if (!made) return made.error();
  sender = std::move(*made);
  return {};
}

result<void> inbound_door::impl::open() {
  kafka::log_topic topic;
  topic.name = how.rules.topic;
  topic.partitions = how.partitions;
  topic.record_bytes_max = how.rules.record_bytes_max;
  topic.single_broker = how.single_broker;
  topic.kept_ms = how.kept_ms;
  if (auto good = kafka::ensure_topic(how.client, topic, opened_within); !good) return good.error();
  topic.name += refused_suffix;
  topic.record_bytes_max += refused_headers_bytes_max;
  if (auto good = kafka::ensure_topic(how.client, topic, opened_within); !good) return good.error();
  if (auto made = open_sender(); !made) return made;
  kafka::group_consumer::options reads;
  reads.topic = how.rules.topic;
  reads.group = how.group;
  reads.member = how.member;
  reads.record_bytes_max = how.rules.record_bytes_max;
  reads.gained = [this](std::int32_t partition) { flow.gained(partition); };
  reads.lost = [this](std::int32_t partition) {
    held_back.erase(partition);
    for (const auto number : flow.lost(partition)) held.erase(number);
  };
  auto reader = kafka::group_consumer::make(how.client, std::move(reads));
  if (!reader) return reader.error();
  consumer = std::move(*reader);
  return {};
}

void inbound_door::impl::take(const kafka::group_record& one) {
  if (!flow.has(one.partition) || flow.has_taken(one.partition, one.offset)) return;
  held_record mine;
  mine.record = copy_of(one);
  const auto bytes = mine.record.bytes();
  if (auto message = read_message(mine.record, how.rules))
    mine.message = std::move(*message);
  else
    mine.refused = message.error();
  // What is too large to be read is too large to be kept: its place says where it is.
  if (bytes > how.rules.record_bytes_max) {
    mine.record.key.reset();
    mine.record.value.reset();
    mine.record.headers.clear();
  }
  const auto number = flow.take(one.partition, one.offset, mine.message.session,
                                std::min(bytes, how.rules.record_bytes_max));
  held.emplace(number, std::move(mine));
}

void inbound_door::impl::begin(std::uint64_t number) {
  auto& one = held.at(number);
  if (one.first_try_ms == 0) one.first_try_ms = steady_ms();
  ++one.tries;
  if (one.refused) return send_refused(number, one);
  const auto thread_of = std::hash<std::string>{}(
      one.message.session.empty() ? one.message.idempotency_key : one.message.session);
  const auto io_thread = thread_of % needs.io.size();
  asio::co_spawn(
      *needs.io[io_thread], carry_out(needs.services, needs.others, one.message, io_thread),
      [to = carried, number](const std::exception_ptr& thrown, const result<carried_out>& said) {
        outcome came;
        came.number = number;
        if (thrown)
          came.failed.emplace(codes::internal, "the record could not be carried out");
        else if (!said)
          came.failed = said.error();
        else
          came.replayed = said->replayed;
        to->put(std::move(came));
      });
}

void inbound_door::impl::send_refused(std::uint64_t number, held_record& one) {
  kafka::sent_record out;
  if (one.record.key) out.key = *one.record.key;
  if (one.record.value) out.value = *one.record.value;
  out.headers = refused_headers(one.record, how.rules, *one.refused, now_ms());
  one.is_written = true;
  auto sent = sender ? sender->send(number, out) : result<void>(no_sender());
  if (sent) return;
  outcome failed;
  failed.number = number;
  failed.failed = sent.error();
  written->put(std::move(failed));
}

void inbound_door::impl::try_again(std::uint64_t number, held_record& one, const error& why) {
  ++again;
  one.last_trouble = std::string(why.code);
  const auto doubled = retry_ms_min << std::min(one.tries, 16u);
  const auto longest = std::min(doubled, how.retry_ms_max);
  // Half of it by chance, so that what failed together does not come together.
  const auto wait =
      longest / 2 +
      static_cast<std::int64_t>(random_u64() %
                                static_cast<std::uint64_t>(std::max<std::int64_t>(1, longest / 2)));
  if (!flow.again(number, steady_ms() + wait)) held.erase(number);
}

void inbound_door::impl::settle(std::uint64_t number) {
  flow.settle(number);
  held.erase(number);
}

void inbound_door::impl::judge_carried(const outcome& came) {
  auto& one = held.at(came.number);
  if (!came.failed) ++done;
  // What came of a stray is for whoever has its partition now.
  if (!came.failed || !flow.knows(came.number)) return settle(came.number);
  const auto& why = *came.failed;
  const auto said = verdict_of(why.code);
  const bool is_late = steady_ms() - one.first_try_ms >= how.give_up_ms;
  if (said == verdict::will_pass || (said == verdict::may_pass && !is_late))
    return try_again(came.number, one, why);
  one.refused = why;
  send_refused(came.number, one);
}

void inbound_door::impl::judge_written(const outcome& came) {
  const auto at = held.find(came.number);
  if (at == held.end() || !at->second.is_written) return;
  auto& one = at->second;
  one.is_written = false;
  if (came.failed) return try_again(came.number, one, *came.failed);
  ++refused;
  log_context about;
  about.request_id = one.message.request_id;
  about.tenant_id = one.message.tenant;
  about.session_id = one.message.session;
  log(log_level::warn, "inbound.refused",
      {{"topic", how.rules.topic},
       {"partition", one.record.partition},
       {"offset", one.record.offset},
       {"code", one.refused->code}},
      about);
  settle(came.number);
}

// What the one before did not settle may be there or not: it is written again.
void inbound_door::impl::renew_sender() {
  sender.reset();
  for (const auto& came : written->take()) judge_written(came);
  std::vector<std::uint64_t> left;
  for (const auto& [number, one] : held)
    if (one.is_written) left.push_back(number);
  for (const auto number : left) {
    outcome lost;
    lost.number = number;
    lost.failed = no_sender();
    judge_written(lost);
  }
  if (auto made = open_sender(); !made) say(made.error().detail);
}

void inbound_door::impl::hold_back() {
  for (const auto partition : flow.partitions()) {
    const bool is = held_back.contains(partition);
    const bool wanted = stopping || (is ? !flow.has_room(partition) : flow.is_full(partition));
    if (is == wanted) continue;
    consumer->hold_back(partition, wanted);
    if (wanted)
      held_back.insert(partition);
    else
      held_back.erase(partition);
  }
}

void inbound_door::impl::tell_group() {
  for (const auto partition : flow.partitions())
    if (const auto next = flow.moved(partition)) consumer->store(partition, *next);
}

void inbound_door::impl::turn() {
  const auto wait = flow.begun() > 0 ? polled_while_busy : polled_while_idle;
  consumer->poll(wait, taken_at_once, [this](const kafka::group_record& one) {
    if (!stopping) take(one);
  });
  for (const auto& came : carried->take()) judge_carried(came);
  for (const auto& came : written->take()) judge_written(came);
  if (!sender || sender->has_failed()) renew_sender();
  if (!stopping)
    for (const auto number : flow.begin(steady_ms())) begin(number);
  hold_back();
  tell_group();
  const auto now = steady_ms();
  if (now - looked_ms >= looked_every_ms) {
    looked_ms = now;
    consumer->look(looked_for);
  }
  if (auto why = consumer->trouble(); why != trouble) say(std::move(why));
  show();
}

void inbound_door::impl::serve() {
  say({});
  while (!stopping && !consumer->has_failed()) turn();
  while (stopping && flow.begun() > 0 && steady_ms() < stops_at_ms && !consumer->has_failed())
    turn();
  if (consumer->has_failed()) say(consumer->trouble());
  close();
}

// What was begun goes on at the io threads, and what comes of it is nobody's to judge here.
void inbound_door::impl::close() {
  consumer.reset();  // all partitions are lost with it
  sender.reset();
  held_back.clear();
  (void)written->take();
  for (auto at = held.begin(); at != held.end();) {
    if (at->second.is_written) {
      flow.settle(at->first);
      at = held.erase(at);
    } else {
      ++at;
    }
  }
}

void inbound_door::impl::run() {
  name_this_thread("kafka_inbound");
  while (!stopping) {
    auto opened = open();
    if (!opened) {
      say(opened.error().detail);
      pause(opened.error().code == codes::config_invalid ? opened_wrongly_again_after
                                                         : opened_again_after);
      continue;
    }
    serve();
    if (!stopping) pause(opened_wrongly_again_after);
  }
}

std::unique_ptr<inbound_door> inbound_door::start(const door_needs& needs, door_options how) {
  std::unique_ptr<inbound_door> made(
      new inbound_door(std::make_unique<impl>(needs, std::move(how))));
  auto& mine = *made->impl_;
  mine.show(true);
  mine.thread = std::thread([&mine] { mine.run(); });
  return made;
}

inbound_door::inbound_door(std::unique_ptr<impl> made) : impl_(std::move(made)) {}

void inbound_door::stop(milliseconds at_most) {
  if (!impl_->thread.joinable()) return;
  impl_->stops_at_ms = steady_ms() + at_most.count();
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

inbound_door::~inbound_door() {
  stop();
}

}  // namespace soma::inbound
