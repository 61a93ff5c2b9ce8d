#include "llm/invocation.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <iterator>

#include "core/codes.hpp"
#include "core/uuid.hpp"

namespace soma::llm {

namespace asio = boost::asio;

namespace {

constexpr std::uint32_t back_off_first_ms = 250, back_off_max_ms = 4000;
// A provider that wants to be left alone for longer is given up for a fallback.
constexpr std::uint32_t retry_after_ms_max = 10'000;

std::int64_t steady_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

// Half of it fixed, half random: callers that failed together do not come back together.
std::uint32_t back_off_ms(std::uint32_t retry) {
  const auto full = std::min(back_off_max_ms, back_off_first_ms << std::min(retry, 8u));
  return full / 2 + static_cast<std::uint32_t>(random_u64() % (full / 2 + 1));
}

// What a call keeps in memory, about; pictures are their sessions', and shared.
std::size_t bytes_of(const call& c) {
  std::size_t bytes = c.raw_body.size() + c.members_json.size() + c.prefix.size();
  for (const auto& m : c.messages) {
    bytes += sizeof m + m.text.size() + m.content_json.size() + m.provider_state_json.size();
    for (const auto& one : m.tool_calls) bytes += sizeof one + one.inputs_json.size();
  }
  for (const auto& tool : c.tools)
    bytes += sizeof tool + tool.description.size() + tool.inputs_schema_json.size();
  return bytes;
}

bool blames_provider(const stream_end& how) {
  const auto& why = *how.error;
  if (how.filtered) return false;
  return why.code == codes::llm_unreachable || why.code == codes::llm_timeout_first_token ||
         why.code == codes::llm_timeout_idle || why.code == codes::llm_provider_error ||
         why.code == codes::llm_bad_stream;
}

// Another profile may do what this one cannot; a bad request stays bad.
bool worth_a_fallback(const stream_end& how) {
  return how.error->retryable || how.elsewhere || how.error->code == codes::llm_auth;
}

// Out of the call, which gets the one that is asked back.
std::vector<profile> take_targets(call& c) {
  std::vector<profile> all;
  all.reserve(1 + c.fallbacks.size());
  all.push_back(std::move(c.target));
  std::move(c.fallbacks.begin(), c.fallbacks.end(), std::back_inserter(all));
  c.fallbacks.clear();
  return all;
}

}  // namespace

void guarded_sink::piece(std::string text, bool thinking) {
  std::lock_guard lock(mutex_);
  if (!silenced_ && sink_.on_piece) sink_.on_piece(std::move(text), thinking);
}

void guarded_sink::raw(std::string_view data) {
  std::lock_guard lock(mutex_);
  if (!silenced_ && sink_.on_raw) sink_.on_raw(data);
}

void guarded_sink::document(std::shared_ptr<kept_document> document) {
  std::lock_guard lock(mutex_);
  if (!silenced_ && sink_.on_document) sink_.on_document(std::move(document));
}

void guarded_sink::end(stream_end how) {
  std::lock_guard lock(mutex_);
  if (silenced_) return;
  silenced_ = true;
  if (sink_.on_end) sink_.on_end(std::move(how));
}

void guarded_sink::silence(bool on_io_thread) {
  // On the io thread the sink itself may be what destroys the handle, and holds the lock.
  std::unique_lock lock(mutex_, std::defer_lock);
  if (!on_io_thread) lock.lock();
  silenced_ = true;
}

invocation::invocation(std::shared_ptr<client_core> core, call asked,
                       std::shared_ptr<guarded_sink> sink)
    : core_owner_(std::move(core)),
      core_(*core_owner_),
      asked_(std::make_shared<call>(std::move(asked))),
      targets_(take_targets(*asked_)),
      tenant_(asked_->tenant),
      retries_max_(asked_->retries),
      sink_(std::move(sink)),
      wait_(core_.io),
      total_(core_.io) {
  ++core_.calls;
  ++core_.open_streams;
}

invocation::~invocation() {
  leave_place();
  if (over_) return;
  --core_.open_streams;
  leave_undecided();
}

void invocation::start() {
  if (over_) return;
  if (asked_->waits.total_ms > 0) {
    total_.expires_after(std::chrono::milliseconds(asked_->waits.total_ms));
    total_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
      const auto self = weak.lock();
      if (ec || !self || self->over_) return;
      if (self->stream_) self->stream_->close();
      stream_end late;
      late.error =
          failure{std::string(codes::llm_timeout_total), "the call took longer than it may", false};
      self->finish(std::move(late));
    });
  }
  attempt();
}

call& invocation::own_call() {
  if (asked_.use_count() > 1) asked_ = std::make_shared<call>(*asked_);
  return *asked_;
}

bool invocation::aim() {
  for (; target_ < targets_.size(); ++target_, retries_ = 0) {
    auto& asked = own_call();
    asked.target = target();
    if (target().provider != targets_.front().provider || target().wire != targets_.front().wire)
      for (auto& m : asked.messages) m.provider_state_json.clear();  // nothing another can read
    asked.form = core_.forms->of(breaker_key(), steady_ms());
    admitted_ = core_.health->admit(breaker_key(), steady_ms());
    if (admitted_) return true;
  }
  return false;
}

void invocation::attempt() {
  if (!aim()) {
    if (failed_last_) return finish(std::move(*failed_last_));
    stream_end refused;
    refused.error = failure{std::string(codes::llm_circuit_open),
                            "the provider failed repeatedly and is left alone for a while", true};
    return finish(std::move(refused));
  }
  if (has_place()) attempt_now();
}

// Whether the call may go to its target now; if not, it is told when.
bool invocation::has_place() {
  if (asked_->purpose != purpose::answer && asked_->purpose != purpose::embeddings) return true;
  if (place_ && place_at_ == target().base_url) return true;
  leave_place();
  place_at_ = target().base_url;
  call_places::claim wanted;
  wanted.provider = place_at_;
  wanted.tenant = tenant_;
  wanted.who = asked_->asker;
  wanted.bytes = bytes_of(*asked_);
  wanted.go = [weak = weak_from_this(), io = core_.io.get_executor()] {
    asio::post(io, [weak] {
      const auto self = weak.lock();
      if (self && !self->over_ && self->place_) self->attempt_now();
    });
  };
  const auto entered = core_.places->enter(std::move(wanted));
  if (entered) {
    place_ = entered->which;
    return entered->now;
  }
  stream_end full;
  full.error =
      failure{std::string(codes::llm_rate_limited), "too many calls to models wait already", true};
  full.retry_after_ms = limits::places_retry_ms;
  finish(std::move(full));
  return false;
}

void invocation::leave_place() {
  if (place_) core_.places->leave(*place_);
  place_.reset();
}

void invocation::attempt_now() {
  ++attempts_;
  cutter_.reset();
  if (target().wire == wire_kind::openai_responses && !target().stop.empty())
    cutter_.emplace(target().stop);
  stream_sink inner;
  const auto weak = weak_from_this();
  if (sink_->wants_raw()) {
    inner.on_raw = [weak](std::string_view data) {
      if (const auto self = weak.lock()) {
        self->answer_begins();
        self->sink_->raw(data);
      }
    };
  }
  if (sink_->wants_document()) {
    inner.on_document = [weak](std::shared_ptr<kept_document> document) {
      if (const auto self = weak.lock()) {
        self->answer_begins();
        self->sink_->document(std::move(document));
      }
    };
  }
  inner.on_piece = [weak](std::string text, bool thinking) {
    if (const auto self = weak.lock()) self->on_piece(std::move(text), thinking);
  };
  inner.on_end = [weak](stream_end how) {
    if (const auto self = weak.lock()) self->on_end(std::move(how));
  };
  stream_ = std::make_shared<provider_stream>(core_owner_, asked_, std::move(inner));
  if (paused_) stream_->set_paused(true);
  stream_->start();
}

// From now on nothing is tried again, and what was asked can be megabytes for as long as the model
// talks. The attempt keeps what an error's text is compared with.
void invocation::answer_begins() {
  if (std::exchange(begun_, true)) return;
  for (auto* text : {&asked_->raw_body, &asked_->members_json}) std::string().swap(*text);
  std::vector<tool_spec>().swap(asked_->tools);
  asked_.reset();
}

void invocation::on_piece(std::string text, bool thinking) {
  if (over_) return;
  answer_begins();
  if (!cutter_ || thinking) return sink_->piece(std::move(text), thinking);
  auto said = cutter_->take(text);
  if (!said.empty()) sink_->piece(std::move(said), false);
  if (!cutter_->found() || over_) return;
  // The answer is whole; what the provider still says nobody asked for.
  stream_->cancel();
  stream_end how;
  how.finish_reason = "stop";
  judge(breaker_key(), how, false);
  finish(std::move(how));
}

void invocation::on_end(stream_end how) {
  how.profile = target().name;
  how.provider = target().provider;
  how.model = target().model;
  how.base_url = target().base_url;
  const auto asked_of = breaker_key();
  if (how.thought_begun) core_.forms->learn_beginning(breaker_key(), *how.thought_begun);
  const bool again = how.error && !begun_ && !over_ && try_again(how);
  judge(asked_of, how, again);
  if (!again && cutter_ && !over_)
    if (auto held = cutter_->rest(); !held.empty()) sink_->piece(std::move(held), false);
  if (again)
    failed_last_ = std::move(how);
  else
    finish(std::move(how));
}

// A call counts once for its target's breaker, when no further try of it follows; a fault of the
// request's own counts for none.
void invocation::judge(const std::string& target, const stream_end& how, bool again) {
  const bool same_target = again && target == breaker_key();
  admitted_ = false;
  if (!how.error)
    core_.health->succeeded(target);
  else if (blames_provider(how) && !same_target)
    core_.health->failed(target, steady_ms());
  else
    core_.health->undecided(target);
}

bool invocation::try_again(const stream_end& how) {
  // What it refuses it is asked without; that is no retry.
  if (how.form && forms_tried_ < limits::forms_tried_max) {
    ++forms_tried_;
    core_.forms->learn(breaker_key(), *how.form, steady_ms());
    asio::post(core_.io, [self = shared_from_this()] {
      if (!self->over_) self->attempt();
    });
    return true;
  }
  const bool soon = how.retry_after_ms <= retry_after_ms_max;
  if (how.error->retryable && soon && retries_ < retries_max_ && core_.health->take_retry()) {
    const auto wait = std::max(how.retry_after_ms, back_off_ms(retries_++));
    wait_.expires_after(std::chrono::milliseconds(wait));
    wait_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
      const auto self = weak.lock();
      if (!ec && self && !self->over_) self->attempt();
    });
    return true;
  }
  if (target_ + 1 >= targets_.size()) return false;
  const bool larger = how.error->code == codes::llm_context_exceeded &&
                      targets_[target_ + 1].context_window > targets_[target_].context_window;
  if (!larger && !worth_a_fallback(how)) return false;
  ++target_;
  retries_ = 0;
  // Not from inside the end of the stream before.
  asio::post(core_.io, [self = shared_from_this()] {
    if (!self->over_) self->attempt();
  });
  return true;
}

void invocation::finish(stream_end how) {
  if (over_) return;
  over_ = true;
  --core_.open_streams;
  wait_.cancel();
  total_.cancel();
  leave_undecided();
  leave_place();
  if (how.profile.empty()) {
    how.profile = target().name;
    how.provider = target().provider;
    how.model = target().model;
    how.base_url = target().base_url;
  }
  how.attempts = attempts_;
  if (how.usage.cost_usd == std::nullopt && target().prices)
    how.usage.cost_usd = cost_of(how.usage, *target().prices);
  sink_->end(std::move(how));
}

void invocation::cancel() {
  if (over_) return;
  over_ = true;
  --core_.open_streams;
  wait_.cancel();
  total_.cancel();
  leave_undecided();
  leave_place();
  if (stream_) stream_->cancel();
}

// The breaker that let an attempt through must hear of its end, whatever the end was.
void invocation::leave_undecided() {
  if (admitted_) core_.health->undecided(breaker_key());
  admitted_ = false;
}

void invocation::set_paused(bool paused) {
  paused_ = paused;
  if (stream_) stream_->set_paused(paused);
}

std::string invocation::breaker_key() const {
  return tenant_ + '\n' + target_key();
}

std::string invocation::target_key() const {
  return target().provider + ' ' + target().base_url + ' ' + target().model;
}

}  // namespace soma::llm
