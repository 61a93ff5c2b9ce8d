#include "session_world.hpp"

#include "core/codes.hpp"
#include "core/session_snapshot.hpp"

namespace soma::testing {
namespace {

// What two folds of one history must agree on.
std::string summary(const session_state& s) {
  std::string out = std::to_string(s.seq) + (s.paused ? " paused" : "") + " title=" + s.title;
  for (const auto& turn : s.turns) {
    out += "\nturn " + turn.turn_id + " " + turn.user_text;
    for (const auto& line : turn.lines)
      out += "\n  " + line.message_id + line.tool_call_id + ": " + line.text + " +" +
             std::to_string(line.tool_calls.size());
  }
  for (const auto& waiting : s.queue)
    out += "\nqueued " + waiting.turn_id + " " + waiting.remembered_json;
  if (!s.turns.empty()) out += "\nremembered " + s.turns.back().remembered_json;
  if (s.turn) out += "\nrunning " + s.turn->turn_id + " step " + std::to_string(s.turn->step);
  if (s.call)
    out += "\ncall " + s.call->request.invocation_id + " " + s.call->text + " next " +
           std::to_string(s.call->next_offset);
  if (s.unanswered) out += "\nunanswered " + s.unanswered->request.message_id + s.unanswered->text;
  for (const auto& tool : s.tools) out += "\ntool " + tool.call.tool_call_id;
  return out;
}

// Every member that is folded.
std::string all_of(session_state s) {
  s.epoch = 0;
  return encode_snapshot(s);
}

// As a log is read that leaves out the deltas of finished messages.
void apply_compact(session_state& s, const std::vector<event>& events, std::uint64_t compact_seq) {
  for (const auto& e : events)
    if (e.meta.id.seq > s.seq && (e.type() != event_type::llm_delta || e.meta.id.seq > compact_seq))
      apply(s, e);
}

constexpr std::uint64_t snapshot_every = 5;  // steps

}  // namespace

session_world::session_world(std::uint64_t seed, step_function core, faults planted)
    : random_(seed),
      core_(std::move(core)),
      faults_(planted),
      turns_bytes_max_(seed % 3 == 0 ? no_turns_bound : seed % 3 * 2500),
      invariants_(3) {
  rules_.remember = pick(2) == 0;
  rules_.recall = pick(3) > 0;
  rules_.recall_strict = pick(4) == 0;
  invariants_.everything_is_remembered = rules_.remember;
  rules_.max_attempts = 3;
  rules_.max_steps = 4;
  rules_.max_tool_calls = 5;
  rules_.queue_max = 4;
  rules_.provider = "simulated";
  rules_.model = "m";
  rules_.prefill = pick(2) == 0;
  activate();
}

// What comes in as JSON from outside: mostly good, sometimes with numbers past every machine word,
// sometimes none at all.
std::string session_world::some_json() {
  static const std::vector<std::string> hard = {"{\"wei\":100000000000000000000}",
                                                "[1e400,-1e999]",
                                                "18446744073709551616",
                                                "{\"a\":Infinity}",
                                                "{",
                                                "",
                                                "{\"a\":\"\\ud800\"}",
                                                std::string(5000, '[')};
  return chance(70) ? "{\"ok\":true}" : hard[pick(hard.size())];
}

std::string session_world::answer_to(const std::string& message_id) const {
  std::string text = "answer ";
  const auto words = std::hash<std::string>{}(message_id) % 12;
  for (std::size_t i = 0; i < words; ++i) text += i % 3 == 2 ? "größe  \n" : "word ";
  return text + message_id.substr(0, 6);
}

void session_world::activate() {
  state_ = fold_from_snapshot();
  from_snapshot_ += !snapshot_.empty();
  input::activated in;
  in.epoch = ++epoch_;
  in.id_seed[0] = random_();
  in.id_seed[1] = random_();
  for (const auto& tool : state_.tools)
    if (tool.call.tool_id == "echo") in.idempotent.insert(tool.call.tool_call_id);
  feed(in);
}

void session_world::feed(const session_input& in) {
  now_ms_ += static_cast<std::int64_t>(pick(50));
  auto actions = core_(state_, rules_, now_ms_, in);
  for (const auto& a : actions.now) execute(a);
  if (actions.append.empty() && actions.then.empty()) return;
  std::string snapshot;
  if (!actions.append.empty() && !state_.call && ++feeds_ % snapshot_every == 0)
    snapshot = encode_snapshot(state_);
  pending_.push_back({std::move(actions.append), std::move(actions.then), std::move(snapshot)});
}

session_state session_world::fold_from_snapshot() const {
  session_state state;
  state.turns_bytes_max = turns_bytes_max_;
  if (!snapshot_.empty()) state = decode_snapshot(snapshot_, turns_bytes_max_).value();
  state.key = {tenant_id("t"), session_id("s")};
  std::vector<event> events;
  std::uint64_t compact_seq = 0;
  for (const auto& line : log_) {
    events.push_back(decode(line).value());
    if (events.back().type() == event_type::message_assistant)
      compact_seq = events.back().meta.id.seq;
  }
  apply_compact(state, events, compact_seq);
  return state;
}

void session_world::execute(const session_action& a) {
  if (const auto* start = std::get_if<action::start_llm>(&a)) {
    const auto whole = answer_to(start->message_id);
    if (whole.compare(0, start->prefix.size(), start->prefix) != 0)
      throw violation("the prefix is not what the model said: " + start->prefix);
    check_told(*start);
    calls_[start->invocation_id] = {start->message_id, whole.substr(start->prefix.size()),
                                    start->with_tools};
  } else if (const auto* cancel = std::get_if<action::cancel_llm>(&a)) {
    calls_.erase(cancel->invocation_id);
  } else if (const auto* tool = std::get_if<action::start_tool>(&a)) {
    tools_[tool->call.tool_call_id] = tool->call.tool_id;
  } else if (const auto* end = std::get_if<action::cancel_tool>(&a)) {
    tools_.erase(end->tool_call_id);
  } else if (const auto* arm = std::get_if<action::arm_deadline>(&a)) {
    deadlines_.insert(arm->turn_id);
  } else if (const auto* recall = std::get_if<action::recall>(&a)) {
    if (invariants_.messages().count(recall->turn_id) == 0)
      throw violation("memory is asked for a message that is not durable");
    if (invariants_.recalled().count(recall->turn_id) > 0)
      throw violation("a turn's memory is asked for again");
    if (invariants_.begun().count(recall->turn_id) > 0 && !rules_.recall_strict)
      throw violation("memory is asked after the turn's first model call");
    recalls_.push_back(recall->turn_id);
  } else if (const auto* reply = std::get_if<action::reply>(&a)) {
    if (reply->what && reply->what->event.seq > invariants_.seq())
      throw violation("acknowledged before it was durable");
    if (const auto at = awaiting_.find(reply->token); at != awaiting_.end()) {
      if (reply->what) unacknowledged_.erase(at->second);
      awaiting_.erase(at);
    }
  }
}

// False: refused, as the log puts a key only if it is absent.
bool session_world::make_durable(const append& a) {
  for (const auto& e : a.events)
    if (!e.meta.idempotency_key.empty() && !kept_keys_.insert(e.meta.idempotency_key).second &&
        !faults_.overwrites_keys)
      return false;
  for (const auto& e : a.events) {
    log_.push_back(encode(e));
    const auto back = decode(log_.back());
    if (!back || encode(*back) != log_.back())
      throw violation("an event does not read back: " + log_.back());
    invariants_.see(*back);
  }
  if (!a.snapshot.empty()) snapshot_ = a.snapshot;
  return true;
}

void session_world::sync_some() {
  for (auto n = 1 + pick(pending_.size()); n > 0 && !pending_.empty(); --n) {
    const append first = std::move(pending_.front());
    pending_.pop_front();
    if (!make_durable(first)) {
      // What followed was decided on a state that the log does not have. Whoever sent the key is
      // answered with what is kept; the others send again.
      for (const auto& e : first.events) unacknowledged_.erase(e.meta.idempotency_key);
      return begin_again();
    }
    for (const auto& a : first.then) execute(a);
  }
  if (pending_.empty()) check_fold();
}

void session_world::check_fold() const {
  session_state again;
  session_state compact;
  again.key = compact.key = state_.key;
  again.turns_bytes_max = compact.turns_bytes_max = turns_bytes_max_;
  std::vector<event> events;
  for (const auto& line : log_) events.push_back(decode(line).value());
  for (const auto& e : events) apply(again, e);
  apply_compact(compact, events, again.compact_seq);
  if (summary(again) != summary(state_))
    throw violation("replay differs from live:\n" + summary(again) + "\n--\n" + summary(state_));
  if (summary(compact) != summary(state_)) throw violation("a compact replay differs from live");
  if (all_of(again) != all_of(state_) || all_of(compact) != all_of(state_))
    throw violation("a replay differs from live in what its summary does not say");
  if (all_of(fold_from_snapshot()) != all_of(state_))
    throw violation("a replay from a snapshot differs from live:\n" + summary(state_));
}

void session_world::crash() {
  ++crashes_;
  // What was handed to storage may have reached the disk, in order, without anyone having heard.
  for (auto n = pick(pending_.size() + 1); n > 0 && make_durable(pending_.front()); --n)
    pending_.pop_front();
  begin_again();
}

void session_world::begin_again() {
  pending_.clear();
  calls_.clear();
  tools_.clear();
  deadlines_.clear();
  recalls_.clear();
  late_.clear();
  awaiting_.clear();
  activate();
}

void session_world::send_message() {
  // A caller that got no answer sends the same again; storage's record answers it if it was kept.
  // At times that look comes before the first try is durable, and the command after.
  std::string key;
  if (!unacknowledged_.empty() && chance(60)) {
    key = *unacknowledged_.begin();
    const bool looked_early = !calm_ && chance(20);
    for (const auto& [token, waiting] : awaiting_)
      if (waiting == key && !looked_early) return;  // a twin in flight waits for the first
    if (invariants_.users_by_key().count(key) && !looked_early) {
      unacknowledged_.erase(key);
      return;
    }
  } else {
    key = "key-" + std::to_string(next_key_++);
    unacknowledged_.insert(key);
  }
  input::commanded in;
  in.who.token = next_token_++;
  in.who.idempotency_key = key;
  input::message message{"say " + key, {}, input::open{}, {}};
  if (chance(25)) message.prepare.assign(1 + pick(2), {"echo", "{}"});
  in.what = std::move(message);
  awaiting_[in.who.token] = key;
  feed(in);
}

void session_world::send_command() {
  input::commanded in;
  in.who.token = next_token_++;
  switch (pick(10)) {
    case 0: in.what = input::stop{}; break;
    case 1:
      if (tools_.empty()) return;
      in.what = input::stop{tools_.begin()->first};
      break;
    case 2: in.what = input::pause{true}; break;
    case 3: in.what = input::pause{false}; break;
    case 4: in.what = input::nudge{}; break;
    case 5: in.what = input::retry{}; break;
    case 6: in.what = input::summarize{}; break;
    case 7: in.what = input::app_event{"probe", some_json()}; break;
    case 8: in.what = input::tool_request{chance(50) ? "echo" : "write", some_json()}; break;
    default:
      in.what = input::rename{"title " + std::to_string(pick(3))};
      if (chance(50)) {
        std::vector<std::string> users(pick(3), "ann");
        in.what = input::update{{}, {chance(50), std::move(users)}};
      }
  }
  feed(in);
}

void session_world::model_speaks() {
  auto at = calls_.begin();
  std::advance(at, static_cast<long>(pick(calls_.size())));
  const std::string invocation = at->first;
  model_call& call = at->second;
  const auto what = calm_ ? 0 : pick(100);
  if (what >= 92) {  // fails, before or after pieces
    input::llm_failed failed;
    failed.invocation_id = invocation;
    failed.what = {"llm.simulated", "down", what < 98};
    failed.prefix_refused = what >= 96 && rules_.prefill;
    calls_.erase(at);
    return feed(failed);
  }
  if (!call.left.empty() && what >= 5) {
    auto n = 1 + pick(call.left.size());
    while (n < call.left.size() && (call.left[n] & 0xC0) == 0x80) ++n;
    input::llm_piece piece{invocation, call.left.substr(0, n), false};
    call.left.erase(0, n);
    return feed(piece);
  }
  if (what < 3 && !calm_) return feed(input::llm_piece{invocation, "hmm", true});
  input::llm_done done;
  done.invocation_id = invocation;
  done.last_text = call.left;
  done.finish_reason = "stop";
  const int calls = call.with_tools && chance(calm_ ? 0 : 40) ? 1 + static_cast<int>(pick(3)) : 0;
  for (int i = 0; i < calls; ++i)
    done.tool_calls.push_back(
        {{}, "p" + std::to_string(i), chance(50) ? "echo" : "write", some_json()});
  if (chance(20)) done.provider_state_json = some_json();
  calls_.erase(at);
  feed(done);
}

void session_world::tool_answers() {
  auto at = tools_.begin();
  std::advance(at, static_cast<long>(pick(tools_.size())));
  const std::string id = at->first;
  if (!calm_ && chance(30)) return feed(input::tool_output{id, "stdout", "working"});
  tools_.erase(at);
  input::tool_done done;
  done.tool_call_id = id;
  done.status = chance(80) ? "success" : "error";
  done.output_json = some_json();
  if (done.status == "error" && chance(30))
    done.error = failure{std::string(codes::dependency_unavailable), "nobody could be asked", true};
  feed(done);
}

// With items of every sort, without any, degraded, or not in time: then the answer may still come.
void session_world::memory_answers() {
  const auto at = recalls_.begin() + static_cast<long>(pick(recalls_.size()));
  input::recalled told;
  told.turn_id = *at;
  recalls_.erase(at);
  if (chance(20)) {
    late_ = told.turn_id;
    told.degraded = true;
    told.why = "late";
    return feed(told);
  }
  told.degraded = chance(15);
  if (told.degraded) told.why = std::string(400, 'x');
  for (auto n = pick(15); n > 0; --n) {
    remembered_item item{format_uuid(random_(), random_()), "remembered \n</x> \"größe\"",
                         "message", chance(50) ? "no uuid" : format_uuid(1, random_())};
    if (chance(20)) item.memory_id = "none";
    if (chance(20)) item.text = std::string(pick(9000), 'y');
    if (chance(30)) item.place_json = some_json();
    item.score = chance(10) ? 1.0 / 0.0 : 0.25;
    item.created_at_ms = now_ms_;
    told.items.push_back(std::move(item));
  }
  feed(told);
}

// The model is told what the log says was recalled for its turn, and nothing else.
void session_world::check_told(const action::start_llm& start) const {
  const auto at = invariants_.recalled().find(start.turn_id);
  const bool has = at != invariants_.recalled().end() && !parse_remembered(at->second).empty();
  std::string told;
  for (const auto& part : start.context.parts)
    if (part.kind == "memory") told += part.text;
  if (told.empty() == has) throw violation("the model is not told what was recalled: " + told);
  if (!has) return;
  for (const auto& item : parse_remembered(at->second))
    if (told.find("\"session\":\"" + item.session_id) == told.npos && !item.session_id.empty())
      throw violation("the model is not told where it was said: " + told);
  std::uint64_t tokens = 0;
  for (const auto& part : start.context.parts) tokens += part.tokens;
  if (tokens != start.context.tokens) throw violation("what is remembered is not counted");
}

void session_world::act() {
  const auto what = pick(100);
  if (what < 12) return send_message();
  if (what < 20) return send_command();
  if (what < 24) return crash();
  if (what < 25 && !deadlines_.empty()) return feed(input::deadline{*deadlines_.begin()});
  if (what < 60 && !pending_.empty()) return sync_some();
  if (what < 85 && !calls_.empty()) return model_speaks();
  if (what < 90 && !recalls_.empty()) return memory_answers();
  if (what < 93 && !late_.empty()) {
    input::recalled told;
    told.turn_id = late_;
    told.items.push_back({format_uuid(7, random_()), "too late", "note"});
    return feed(told);
  }
  if (!tools_.empty()) return tool_answers();
  if (!pending_.empty()) sync_some();
}

void session_world::settle() {
  calm_ = true;
  input::commanded go;
  go.what = input::pause{false};
  feed(go);
  for (int rounds = 0; rounds < 100'000; ++rounds) {
    if (!pending_.empty())
      sync_some();
    else if (!calls_.empty())
      model_speaks();
    else if (!tools_.empty())
      tool_answers();
    else if (!recalls_.empty())
      memory_answers();
    else if (state_.paused)  // what was decided before a refused append is dropped with it
      feed(go);
    else
      break;
  }
  if (state_.busy()) throw violation("a stuck session:\n" + summary(state_));
  invariants_.at_rest();
  if (invariants_.waiting() > 0) throw violation("a message was never taken up");
  for (const auto& [message, reason] : invariants_.finish_reasons())
    if (reason == "stop" && invariants_.answers().at(message) != answer_to(message))
      throw violation("an answer is not whole: " + invariants_.answers().at(message));
  check_fold();
}

void session_world::run(int actions) {
  for (int i = 0; i < actions; ++i) act();
  settle();
}

}  // namespace soma::testing
