#include "tools/catalog_runner.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <set>

#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "core/utf8.hpp"

namespace soma::tools {
namespace {

constexpr std::size_t keeper_threads = 2;

tool_outcome failed(std::string_view status, std::string_view code, std::string detail) {
  return {std::string(status), {}, failure{std::string(code), std::move(detail), false}};
}

}  // namespace

struct catalog_runner::call {
  tool_caller who;
  body::tool_call what;
  const std::int64_t began_ms = now_ms();
  std::uint32_t noted = 0;
  std::string rule;  // that denied it
  std::string lane;
  std::shared_ptr<tool> impl;
  tool_request request;
  bool reaches_out = false;
  std::string found_json;                          // of what would leave
  decltype(screened_call::words_back) words_back;  // set before it runs
  decltype(screened_call::piece_back) piece_back;  // as well; called under the mutex
  std::mutex mutex;                                // of what follows
  std::set<std::string> streams;                   // that some may be held back of
  tool_sink sink;
  std::unique_ptr<running_tool> running;
  std::size_t said_bytes = 0;
  bool in_lane = false, over = false;
};

class catalog_runner::handle final : public running_tool {
 public:
  handle(catalog_runner& runner, std::shared_ptr<call> c) : runner_(runner), call_(std::move(c)) {}
  ~handle() override { runner_.cancel(call_); }

 private:
  catalog_runner& runner_;
  std::shared_ptr<call> call_;
};

catalog_runner::catalog_runner(runner_parts parts, runner_options options)
    : parts_(std::move(parts)),
      options_(options),
      keepers_(keeper_threads, options.keeping_max),
      thread_([this] { run(); }) {}

catalog_runner::~catalog_runner() {
  {
    std::lock_guard lock(work_mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void catalog_runner::add(std::string tool_id, std::shared_ptr<tool> what, const tenant_id& tenant) {
  std::lock_guard lock(tools_mutex_);
  tools_.insert_or_assign({tenant, std::move(tool_id)}, std::move(what));
}

void catalog_runner::remove(std::string_view tool_id, const tenant_id& tenant) {
  std::lock_guard lock(tools_mutex_);
  tools_.erase({tenant, std::string(tool_id)});
}

std::shared_ptr<tool> catalog_runner::find(const tenant_id& tenant,
                                           std::string_view tool_id) const {
  std::pair<tenant_id, std::string> key{tenant, tool_id};
  std::lock_guard lock(tools_mutex_);
  auto at = tools_.find(key);
  if (at == tools_.end()) {
    key.first = {};
    at = tools_.find(key);
  }
  return at == tools_.end() ? nullptr : at->second;
}

std::string catalog_runner::unavailable(const tenant_id& tenant, std::string_view tool_id) const {
  const auto impl = find(tenant, tool_id);
  return impl ? impl->unavailable() : "nothing on this server runs it";
}

std::size_t catalog_runner::running() const {
  std::lock_guard lock(lanes_mutex_);
  std::size_t count = 0;
  for (const auto& [name, lane] : lanes_) count += lane.running;
  return count;
}

// One list for all model calls of a tenant, for as long as nothing of it changes: a call has it as
// long as its model talks, and it is kilobytes.
std::shared_ptr<const std::vector<offered_tool>> catalog_runner::offered(const tenant_id& tenant) {
  const auto set = parts_.tools.of(tenant);
  std::vector<std::pair<const std::string*, const catalog_entry*>> now;
  for (const auto& [id, entry] : set->entries)
    if (entry.enabled && unavailable(tenant, id).empty()) now.emplace_back(&id, &entry);
  const auto same = [](const offered_tool& told, const auto& one) {
    const auto& [id, entry] = one;
    return told.tool_id == *id && told.description == entry->description &&
           told.inputs_schema_json == entry->offered_inputs_json;
  };
  std::lock_guard lock(offered_mutex_);
  if (const auto at = offered_.find(tenant); at != offered_.end())
    if (std::equal(at->second->begin(), at->second->end(), now.begin(), now.end(), same))
      return at->second;
  auto out = std::make_shared<std::vector<offered_tool>>();
  out->reserve(now.size());
  for (const auto& [id, entry] : now)
    out->push_back({*id, entry->description, entry->offered_inputs_json});
  if (offered_.size() >= offered_kept_max) offered_.clear();
  return offered_[tenant] = std::move(out);
}

bool catalog_runner::idempotent(std::string_view tool_id, std::string_view inputs_json) const {
  const auto impl = find({}, tool_id);  // of one tenant alone: never done twice
  if (!impl) return false;
  // The inputs were judged when the call began; what cannot be read changes nothing.
  static const auto any = input_schema::compile("{}");
  const auto inputs = any->read(inputs_json);
  return inputs && impl->idempotent(*inputs);
}

// ---- before it runs ----

std::optional<tool_outcome> catalog_runner::refuse(call& c) {
  const auto& id = c.what.tool_id;
  const auto set = parts_.tools.of(c.who.session.tenant);
  const auto* entry = set->find(id);
  if (!entry) return failed("error", codes::tool_unknown, "there is no tool " + id);
  if (!entry->enabled) return failed("denied", codes::tool_disabled, id + " is switched off");
  c.impl = find(c.who.session.tenant, id);
  const auto why = c.impl ? c.impl->unavailable() : "nothing on this server runs " + id;
  if (!why.empty()) return failed("error", codes::tool_unavailable, why);
  auto inputs = entry->inputs.read(c.what.inputs_json);
  if (!inputs) return failed("error", inputs.error().code, inputs.error().detail);
  c.request = {c.who.session, c.what,        std::move(*inputs),
               entry->limits, entry->egress, c.who.user_id};
  c.reaches_out = c.impl->reaches_out() || !entry->egress.empty();
  c.lane = c.who.session.tenant.value + '\n' + id;
  return std::nullopt;
}

std::unique_ptr<running_tool> catalog_runner::start(const tool_caller& who,
                                                    const body::tool_call& what, tool_sink sink) {
  auto c = std::make_shared<call>();
  c->who = who;
  c->what = what;
  c->sink = std::move(sink);
  auto mine = std::make_unique<handle>(*this, c);
  if (parts_.on_begun) c->noted = parts_.on_begun(c->who, c->what, c->began_ms);
  if (auto refused = refuse(*c)) {
    c->over = true;
    tell_end(*c, refused->status, refused->error);
    c->sink.on_done(std::move(*refused));
  } else if (!parts_.decide) {
    judged(c, {false, "none", "no policy"});
  } else {
    // Whose handle is gone meanwhile is not begun.
    parts_.decide(c->who, c->what.tool_id, c->request.inputs,
                  [this, weak = std::weak_ptr(c)](verdict said) {
                    if (const auto c = weak.lock()) judged(c, std::move(said));
                  });
  }
  return mine;
}

void catalog_runner::judged(const std::shared_ptr<call>& c, verdict said) {
  if (!said.allow) return turn_down(c, said);
  if (!c->reaches_out || !parts_.screen) return enqueue(c);
  parts_.screen(c->who, c->request, [this, weak = std::weak_ptr(c)](screened_call said) {
    if (const auto c = weak.lock()) screened(c, std::move(said));
  });
}

void catalog_runner::screened(const std::shared_ptr<call>& c, screened_call said) {
  {
    const std::lock_guard lock(c->mutex);
    if (c->over) return;
    c->found_json = std::move(said.found_json);
  }
  if (!said.said.allow) return turn_down(c, said.said);
  if (said.inputs) {
    c->request.inputs = std::move(*said.inputs);
    c->request.call.inputs_json = boost::json::serialize(c->request.inputs);
  }
  c->words_back = std::move(said.words_back);
  c->piece_back = std::move(said.piece_back);
  enqueue(c);
}

void catalog_runner::turn_down(const std::shared_ptr<call>& c, const verdict& said) {
  {
    const std::lock_guard lock(c->mutex);
    if (c->over) return;  // and told of
    c->rule = said.rule;
  }
  if (!said.unavailable)
    return finish(c,
                  failed("denied", codes::policy_denied, "rule " + said.rule + ": " + said.reason));
  auto nobody = failed("error", codes::dependency_unavailable,
                       "whether this is allowed could not be asked, so nothing was done");
  nobody.error->retryable = true;
  finish(c, std::move(nobody));
}

void catalog_runner::enqueue(const std::shared_ptr<call>& c) {
  bool now = false, full = false;
  {
    std::lock_guard lock(lanes_mutex_);
    auto& l = lanes_[c->lane];
    now = l.running < c->request.limits.concurrency;
    // Those that were cancelled are no longer among them.
    if (!now && l.waiting.size() >= options_.waiting_max)
      std::erase_if(l.waiting, [](const auto& one) { return one.expired(); });
    full = !now && l.waiting.size() >= options_.waiting_max;
    if (now) ++l.running;
    if (!now && !full) l.waiting.push_back(c);
  }
  if (full)
    return finish(c, failed("error", codes::tool_busy, "too many calls of this tool wait already"));
  if (now) return begin(c);
  until(clock::now() + std::chrono::milliseconds(options_.waiting_ms_max), c, true);
}

void catalog_runner::until(clock::time_point when, const std::shared_ptr<call>& c, bool waits) {
  {
    std::lock_guard lock(work_mutex_);
    deadlines_.emplace(when, deadline{c, waits});
  }
  work_.notify_one();
}

void catalog_runner::begin(const std::shared_ptr<call>& c) {
  {
    std::lock_guard lock(c->mutex);
    c->in_lane = true;
    if (c->over) {  // cancelled between leaving the queue and now
      c->in_lane = false;
      post([this, lane = c->lane] { leave_lane(lane); });
      return;
    }
  }
  until(clock::now() + std::chrono::milliseconds(c->request.limits.timeout_ms), c, false);
  // Weakly: the handle keeps the call, and a tool may keep its sink.
  tool_sink inner;
  inner.on_output = [this, weak = std::weak_ptr(c)](std::string stream, std::string text) {
    if (const auto c = weak.lock()) say(*c, std::move(stream), std::move(text));
  };
  inner.on_done = [this, weak = std::weak_ptr(c)](tool_outcome outcome) {
    if (const auto c = weak.lock()) finish(c, std::move(outcome));
  };
  auto running = c->impl->start(c->request, std::move(inner));
  std::unique_lock lock(c->mutex);
  if (!c->over) {
    c->running = std::move(running);
    return;
  }
  lock.unlock();  // it has ended already, perhaps on this very thread
}

// ---- while it runs ----

void catalog_runner::say(call& c, std::string stream, std::string text) {
  output on_output;
  {
    std::lock_guard lock(c.mutex);
    if (c.over || c.said_bytes >= options_.progress_bytes_max) return;
    if (c.piece_back) {
      text = c.piece_back(stream, text, false);
      c.streams.insert(stream);
    }
    fit(c, text);
    on_output = c.sink.on_output;
  }
  tell(on_output, std::move(stream), std::move(text));
}

// With its mutex held.
void catalog_runner::fit(call& c, std::string& text) const {
  const auto room =
      options_.progress_bytes_max - std::min(c.said_bytes, options_.progress_bytes_max);
  if (text.size() <= room) {
    c.said_bytes += text.size();
    return;
  }
  text.resize(utf8_complete_prefix(std::string_view(text).substr(0, room)));
  text += "\n[…]\n";
  c.said_bytes = options_.progress_bytes_max;
}

void catalog_runner::tell(const output& to, std::string stream, std::string text) const {
  if (!to) return;
  while (text.size() > options_.progress_piece_bytes) {
    auto n = utf8_complete_prefix(std::string_view(text).substr(0, options_.progress_piece_bytes));
    if (n == 0) n = options_.progress_piece_bytes;
    to(stream, text.substr(0, n));
    text.erase(0, n);
  }
  if (!text.empty()) to(std::move(stream), std::move(text));
}

// ---- its end ----

void catalog_runner::finish(const std::shared_ptr<call>& c, tool_outcome outcome) {
  tool_sink sink;
  std::unique_ptr<running_tool> running;
  bool in_lane = false;
  std::vector<std::pair<std::string, std::string>> held;
  {
    std::lock_guard lock(c->mutex);
    if (c->over) return;
    c->over = true;
    for (const auto& stream : c->streams) {
      if (c->said_bytes >= options_.progress_bytes_max) break;
      auto rest = c->piece_back(stream, {}, true);
      fit(*c, rest);
      held.emplace_back(stream, std::move(rest));
    }
    sink = std::move(c->sink);
    running = std::move(c->running);
    in_lane = std::exchange(c->in_lane, false);
  }
  for (auto& [stream, text] : held) tell(sink.on_output, stream, std::move(text));
  if (c->words_back) outcome.output_json = c->words_back(std::move(outcome.output_json));
  tell_end(*c, outcome.status, outcome.error);
  const bool large = outcome.output_json.size() > c->request.limits.output_bytes;
  if (!large) sink.on_done(std::move(outcome));
  if (!large && !running && !in_lane) return;
  // Not here: this may be a thread of the tool's own, inside the call that it would wait for.
  auto rest = std::make_shared<std::tuple<tool_sink, std::unique_ptr<running_tool>, tool_outcome>>(
      std::move(sink), std::move(running), std::move(outcome));
  post([this, c, rest, large, in_lane] {
    std::get<1>(*rest).reset();
    if (large) tell_large(c, std::move(std::get<0>(*rest)), std::move(std::get<2>(*rest)));
    if (in_lane) leave_lane(c->lane);
  });
}

void catalog_runner::tell_end(const call& c, std::string_view status,
                              const std::optional<failure>& why) {
  if (!parts_.on_ended) return;
  const auto code = why ? std::string_view(why->code) : std::string_view();
  parts_.on_ended({c.who, c.what, status, code, c.rule, c.began_ms, c.noted, c.found_json});
}

// By a thread that may wait for the disk; where too many do, the whole is not kept.
void catalog_runner::tell_large(const std::shared_ptr<call>& c, tool_sink sink,
                                tool_outcome outcome) {
  auto shared =
      std::make_shared<std::pair<tool_sink, tool_outcome>>(std::move(sink), std::move(outcome));
  const auto tell = [this, c, shared](bool keeping) {
    shared->first.on_done(trimmed(*c, std::move(shared->second), keeping));
  };
  if (!parts_.attachments || !keepers_.post([tell] { tell(true); })) tell(false);
}

void catalog_runner::cancel(const std::shared_ptr<call>& c) {
  std::unique_ptr<running_tool> running;
  bool in_lane = false;
  {
    std::lock_guard lock(c->mutex);
    if (c->over) return;
    c->over = true;
    c->sink = {};
    running = std::move(c->running);
    in_lane = std::exchange(c->in_lane, false);
  }
  tell_end(*c, "cancelled", std::nullopt);
  if (!running && !in_lane) return;
  std::shared_ptr<running_tool> kept = std::move(running);
  post([this, c, kept = std::move(kept), in_lane]() mutable {
    kept.reset();
    if (in_lane) leave_lane(c->lane);
  });
}

void catalog_runner::leave_lane(const std::string& name) {
  std::shared_ptr<call> next;
  {
    std::lock_guard lock(lanes_mutex_);
    const auto at = lanes_.find(name);
    if (at == lanes_.end()) return;
    auto& l = at->second;
    while (!next && !l.waiting.empty()) {
      next = l.waiting.front().lock();
      l.waiting.pop_front();
    }
    if (!next && --l.running == 0) lanes_.erase(at);
  }
  if (next) begin(next);
}

// The model is given the beginning; the whole is kept for whoever asks.
tool_outcome catalog_runner::trimmed(const call& c, tool_outcome outcome, bool keeping) {
  const auto most = c.request.limits.output_bytes;
  std::string text;
  json_writer w(text);
  w.begin_object().field_bool("truncated", true);
  w.field("size_bytes", std::uint64_t{outcome.output_json.size()});
  if (keeping)
    if (const auto kept = parts_.attachments->keep(c.who.session, c.what.tool_id + "-output.json",
                                                   "application/json", outcome.output_json))
      w.field("attachment_id", kept->attachment_id);
  // JSON inside of JSON is longer than it was.
  w.field("text", json_fitting(outcome.output_json, most)).end_object();
  outcome.output_json = std::move(text);
  return outcome;
}

// ---- the thread ----

void catalog_runner::post(std::function<void()> job) {
  {
    std::lock_guard lock(work_mutex_);
    jobs_.push_back(std::move(job));
  }
  work_.notify_one();
}

void catalog_runner::run() {
  std::unique_lock lock(work_mutex_);
  while (true) {
    if (!jobs_.empty()) {
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
      continue;
    }
    if (stopping_) return;
    if (deadlines_.empty()) {
      work_.wait(lock);
      continue;
    }
    const auto first = deadlines_.begin();
    if (first->first > clock::now()) {
      const auto until = first->first;
      work_.wait_until(lock, until);
      continue;
    }
    const auto late = first->second.of.lock();
    const bool waited = first->second.waits;
    deadlines_.erase(first);
    if (!late) continue;
    lock.unlock();
    out_of_time(late, waited);
    lock.lock();
  }
}

void catalog_runner::out_of_time(const std::shared_ptr<call>& c, bool waited) {
  if (!waited)
    return finish(c, failed("timeout", codes::tool_timeout,
                            "the tool took longer than its " +
                                std::to_string(c->request.limits.timeout_ms) + " ms"));
  {
    std::lock_guard lock(c->mutex);
    if (c->in_lane) return;  // it has had a place since
  }
  finish(c, failed("error", codes::tool_busy, "no place for this call became free in time"));
}

}  // namespace soma::tools
