#include "outbound/audit_topic.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "core/codes.hpp"
#include "core/thread_name.hpp"
#include "core/time.hpp"
#include "observability/log.hpp"
#include "outbound/audit_envelope.hpp"
#include "security/audit/audit_chain.hpp"
#include "security/audit/audit_folder.hpp"

namespace soma::outbound {
namespace {

using std::chrono::milliseconds;

// What is on its way at one time.
constexpr std::size_t under_way_max = 1000, under_way_bytes_max = 8 * 1024 * 1024;
constexpr milliseconds looked_every(100), looked_while_busy(10), looked_at_the_end(5),
    opened_within(2'000), opened_again_after(1'000), opened_wrongly_again_after(15'000);
constexpr std::int64_t noted_every_ms = 1'000, shown_every_ms = 500, late_ms = 10'000;
constexpr std::size_t place_bytes_max = 4096;

std::int64_t steady_ms() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

// Of one sender: what the one before it had under way is not settled by a later one's answers.
struct audit_topic::answers {
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, std::string>> all;  // seq, why it is not there
};

audit_topic::audit_topic(audit_topic_options how) : how_(std::move(how)) {}

void audit_topic::pause(milliseconds so_long) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, so_long, [this] { return stopping_.load(); });
}

void audit_topic::say(std::string why) {
  trouble_ = std::move(why);
  if (trouble_ != told_) {
    told_ = trouble_;
    if (trouble_.empty())
      log(log_level::info, "audit.topic", {{"topic", how_.topic.name}, {"after", place_}});
    else
      log(log_level::warn, "audit.topic", {{"topic", how_.topic.name}, {"reason", trouble_}});
  }
  show(true);
}

void audit_topic::show(bool at_once) {
  const auto now = steady_ms();
  if (!at_once && now - shown_ms_ < shown_every_ms) return;
  shown_ms_ = now;
  audit_topic_state state;
  state.trouble = trouble_;
  state.waiting = static_cast<double>(under_way_.size() + read_.size());
  state.sent = static_cast<double>(count_);
  state.left_out = static_cast<double>(left_out_ + (chain_ ? chain_->left_out() : 0));
  if (!under_way_.empty() && under_way_.front().at_ms > 0) {
    const auto late = std::max<std::int64_t>(0, now_ms() - under_way_.front().at_ms);
    state.lag_s = static_cast<double>(late) / 1000;
  }
  how_.show(state);
}

// Whose place it is, and how far: "TOPIC CHAIN SEQ\n".
std::optional<std::uint64_t> audit_topic::noted() const {
  const auto text = security::audit_text(how_.place_file, place_bytes_max);
  if (!text) return std::nullopt;
  const auto begin = how_.topic.name + " " + how_.chain + " ";
  if (!text->starts_with(begin) || !text->ends_with('\n')) return std::nullopt;
  std::uint64_t seq = 0;
  const auto* first = text->data() + begin.size();
  const auto* last = text->data() + text->size() - 1;
  const auto [end, ec] = std::from_chars(first, last, seq);
  if (ec != std::errc{} || end != last) return std::nullopt;
  return seq;
}

void audit_topic::note(bool at_once) {
  const auto now = steady_ms();
  if (place_ == noted_ || (!at_once && now - noted_ms_ < noted_every_ms)) return;
  noted_ms_ = now;
  const auto folder = std::filesystem::path(how_.place_file).parent_path().string();
  const auto text = how_.topic.name + " " + how_.chain + " " + std::to_string(place_) + "\n";
  if (security::keep_audit_file(folder, how_.place_file, text)) noted_ = place_;
}

result<void> audit_topic::open() {
  if (auto good = kafka::ensure_topic(how_.client, how_.topic, opened_within); !good)
    return good.error();
  kafka::record_sender::options sends;
  sends.topic = how_.topic.name;
  sends.record_bytes_max = how_.topic.record_bytes_max;
  // For as long as it takes: a record that is given up would be missing before those behind it.
  sends.deliver_within = milliseconds(0);
  answers_ = std::make_shared<answers>();
  sends.settled = [to = answers_](std::uint64_t seq, std::string_view why) {
    const std::lock_guard lock(to->mutex);
    to->all.emplace_back(seq, why);
  };
  auto made = kafka::record_sender::make(how_.client, std::move(sends));
  if (!made) return made.error();
  sender_ = std::move(*made);
  return {};
}

// Behind what is there: the rest is sent again, in order.
void audit_topic::begin_anew() {
  sender_.reset();
  read_.clear();
  under_way_.clear();
  refused_.clear();
  bytes_ = 0;
  if (chain_) left_out_ += chain_->left_out();
  chain_.emplace(how_.folder, place_ + 1);
}

// True: something was.
bool audit_topic::send_some() {
  if (read_.empty()) {
    auto more = chain_->more();
    if (!more) {
      say(more.error().detail);
      return false;
    }
    for (auto& one : *more) read_.push_back(std::move(one));
  }
  bool any = false;
  while (!read_.empty() && under_way_.size() < under_way_max && bytes_ < under_way_bytes_max) {
    const auto& one = read_.front();
    const auto out = audit_envelope_of(how_.chain, one.seq, one.line);
    kafka::sent_record record;
    record.key = how_.chain;
    record.value = out.value;
    for (auto& [name, value] : kafka::written(out.headers))
      record.headers.emplace_back(name, std::move(value));
    if (!sender_->send(one.seq, record)) return any;
    sent mine;
    mine.seq = one.seq;
    mine.bytes = out.value.size();
    if (const auto link = security::audit_link_of(one.line)) mine.at_ms = parse_rfc3339(link->at);
    bytes_ += mine.bytes;
    under_way_.push_back(mine);
    read_.pop_front();
    any = true;
  }
  return any;
}

void audit_topic::settle() {
  std::vector<std::pair<std::uint64_t, std::string>> all;
  {
    const std::lock_guard lock(answers_->mutex);
    all = std::exchange(answers_->all, {});
  }
  for (const auto& [seq, why] : all) {
    if (!why.empty()) {
      refused_ = why;
      continue;
    }
    const auto at = std::lower_bound(under_way_.begin(), under_way_.end(), seq,
                                     [](const sent& a, std::uint64_t b) { return a.seq < b; });
    if (at != under_way_.end() && at->seq == seq) at->is_there = true;
  }
  while (!under_way_.empty() && under_way_.front().is_there) {
    place_ = under_way_.front().seq;
    bytes_ -= under_way_.front().bytes;
    under_way_.pop_front();
    ++count_;
  }
}

void audit_topic::serve() {
  say({});
  auto moved_ms = steady_ms();
  while (!sender_->has_failed() && refused_.empty()) {
    const auto before = place_;
    const bool any = send_some();
    settle();
    if (stopping_ && (steady_ms() >= stops_at_ms_ || (!any && under_way_.empty()))) break;
    if (place_ != before || under_way_.empty()) moved_ms = steady_ms();
    const bool is_late = steady_ms() - moved_ms > late_ms;
    if (is_late && trouble_.empty())
      say("the brokers have not taken a record for some time");
    else if (!trouble_.empty() && place_ != before)
      say({});
    note(false);
    show(false);
    if (any || place_ != before) continue;
    if (stopping_)
      std::this_thread::sleep_for(looked_at_the_end);
    else
      pause(under_way_.empty() ? looked_every : looked_while_busy);
  }
  note(true);
}

void audit_topic::run() {
  name_this_thread("kafka_audit");
  if (const auto seq = noted()) place_ = noted_ = *seq;
  while (!stopping_) {
    begin_anew();
    if (auto opened = open(); !opened) {
      say(opened.error().detail);
      pause(opened.error().code == codes::config_invalid ? opened_wrongly_again_after
                                                         : opened_again_after);
      continue;
    }
    serve();
    if (stopping_) break;
    say(refused_.empty() ? "Kafka's client failed" : "a record is not taken: " + refused_);
    pause(refused_.empty() ? opened_again_after : opened_wrongly_again_after);
  }
  sender_.reset();
}

std::unique_ptr<audit_topic> audit_topic::start(audit_topic_options how) {
  std::unique_ptr<audit_topic> made(new audit_topic(std::move(how)));
  made->show(true);
  made->thread_ = std::thread([one = made.get()] { one->run(); });
  return made;
}

void audit_topic::stop(milliseconds at_most) {
  if (!thread_.joinable()) return;
  stops_at_ms_ = steady_ms() + at_most.count();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

audit_topic::~audit_topic() {
  stop();
}

}  // namespace soma::outbound
