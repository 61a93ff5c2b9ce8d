#include "actors/llm_stream.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "core/codes.hpp"
#include "core/utf8.hpp"
#include "core/uuid.hpp"
#include "observability/log.hpp"
#include "tools/provider_name.hpp"

namespace soma::actors {
namespace {

using pointer = llm_stream_actor::stateful_pointer<llm_stream_state>;

std::uint64_t ms_since(llm_stream_state::clock::time_point begin) {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(
      duration_cast<milliseconds>(llm_stream_state::clock::now() - begin).count());
}

// The caller's trace goes on with a span of its own (W3C trace context).
std::string traceparent(std::string_view trace_id) {
  if (trace_id.size() != 32) return {};
  char span[17];
  std::snprintf(span, sizeof span, "%016llx", static_cast<unsigned long long>(random_u64() | 1));
  return "00-" + std::string(trace_id) + "-" + span + "-01";
}

constexpr std::uint64_t small_context_max = 8192;  // tokens

// A small model whose context the descriptions alone would half fill gets none: it could answer
// nothing at all. A larger one is given what is switched on.
void offer_tools(llm::call& call, const std::vector<tools::offered_tool>& offered,
                 std::uint64_t context_window) {
  std::uint64_t tokens = 0;
  for (const auto& tool : offered)
    tokens += estimate_tokens(tool.description) + estimate_tokens(tool.inputs_schema_json);
  if (context_window <= small_context_max && tokens > context_window / 2) {
    log(log_level::warn, "tools.not_offered",
        {{"tools", offered.size()}, {"tokens", tokens}, {"context_window", context_window}});
    return;
  }
  for (const auto& tool : offered)
    call.tools.push_back(
        {tools::provider_name(tool.tool_id), tool.description, tool.inputs_schema_json});
}

// The id of what the model called by a provider's name; what was not offered keeps its name.
std::string tool_id_of(const llm_stream_state& s, std::string name) {
  for (const auto& tool : *s.offered)
    if (tools::provider_name(tool.tool_id) == name) return tool.tool_id;
  return name;
}

void add_pictures(llm::chat_message& to, const llm_stream_state& s, const context_part& part) {
  for (const auto& file : part.pictures)
    for (const auto& loaded : s.pictures)
      if (loaded.attachment_id == file.id) to.pictures.push_back(loaded.what);
}

// Takes the conversation with it: it is not kept for as long as the model talks.
llm::call make_call(llm_stream_state& s) {
  llm::call call;
  call.target = s.model->profile;
  // Another model cannot go on with this one's text.
  if (s.what.prefix.empty()) call.fallbacks = s.model->fallbacks;
  call.waits = s.model->waits;
  call.prefix = std::move(s.what.prefix);
  call.request_id = s.what.from.request_id;
  call.traceparent = traceparent(s.what.from.trace_id);
  // Providers refuse calls of tools in a history without the tools: at the last step they are
  // named, but may not be called.
  auto parts = std::exchange(s.what.context.parts, {});
  call.may_call_tools = s.what.with_tools;
  if (s.what.with_tools || std::any_of(parts.begin(), parts.end(),
                                       [](const auto& part) { return !part.tool_calls.empty(); }))
    offer_tools(call, *s.offered, s.model->rules.context_window);
  for (auto& part : parts) {
    if (part.kind == "attachment" && !call.messages.empty()) {  // of the message before it
      call.messages.back().text += "\n\n" + part.text;
      continue;
    }
    // One message of the system: templates of models take no second one.
    if (part.kind == "memory" && !call.messages.empty() && call.messages.back().role == "system") {
      call.messages.back().text += "\n\n" + part.text;
      continue;
    }
    call.messages.push_back({std::move(part.role), std::move(part.text), std::move(part.tool_calls),
                             std::move(part.provider_call_id)});
    // As the provider was told of it, also of a tool that is offered no longer.
    for (auto& asked : call.messages.back().tool_calls)
      asked.tool_id = tools::provider_name(asked.tool_id);
    add_pictures(call.messages.back(), s, part);
    if (part.provider == call.target.provider)
      call.messages.back().provider_state_json = std::move(part.provider_state_json);
  }
  return call;
}

// More than may wait here or on its way to the disk, keeps the provider from being read.
void pause_when_full(pointer self) {
  auto& s = self->state;
  if (!s.reading || s.uncommitted + s.gathered.size() <= s.node->limits.uncommitted_bytes) return;
  s.reading = false;
  if (s.provider) s.provider->pause();
}

// Hands over what was gathered, in pieces that each fit one event.
void flush(pointer self) {
  auto& s = self->state;
  s.last_flush = llm_stream_state::clock::now();
  while (!s.gathered.empty()) {
    auto length = std::min(s.gathered.size(), s.node->limits.piece_bytes_max);
    if (length < s.gathered.size())
      length = utf8_complete_prefix(std::string_view(s.gathered).substr(0, length));
    s.uncommitted += length;
    self->send(s.session, stream_piece{{s.what.invocation_id, s.gathered.substr(0, length),
                                        s.gathered_thinking}});
    s.gathered.erase(0, length);
  }
}

// How long a piece gathers from the last one's going: for delta_flush_ms, and where all streams
// together keep the node busy, for as long again as the last one took to become durable.
llm_stream_state::clock::duration gather_time(const llm_stream_state& s) {
  const std::chrono::milliseconds least(s.node->limits.delta_flush_ms);
  const std::chrono::milliseconds most(
      std::max(s.node->limits.delta_flush_ms, s.node->limits.delta_flush_ms_max));
  return std::clamp<llm_stream_state::clock::duration>(2 * s.last_took, least, most);
}

// One piece is on its way at a time, and what comes meanwhile is the next: the more waits for the
// disk, the more goes with one event. After a quiet while a piece goes on at once.
void flush_when_due(pointer self) {
  auto& s = self->state;
  if (s.gathered.size() >= s.node->limits.piece_bytes_max) return flush(self);
  // Its time or its predecessor's becoming durable asks again.
  if (s.gathered.empty() || s.flush_queued || s.uncommitted > 0) return;
  const auto gather = gather_time(s);
  const auto since = llm_stream_state::clock::now() - s.last_flush;
  if (since >= gather) return flush(self);
  s.flush_queued = true;
  self->delayed_send(self, gather - since, flush_pieces{});
}

llm_caller caller_of(const llm_stream_state& s) {
  return {s.key.tenant,           s.what.from.user_id,  s.key.session.value,
          s.what.from.request_id, s.what.from.trace_id, s.what.from.actor_json};
}

void ask(pointer self) {
  auto& s = self->state;
  // The sink's handle keeps only the actor's address alive; its state ends with the actor.
  const llm_stream_actor me = self;
  llm::stream_sink sink;
  s.runs = s.node->effects.begin(s.key);
  sink.on_piece = [me, said = s.said, runs = s.runs](std::string text, bool thinking) {
    if (said->add(std::move(text), thinking)) caf::anon_send(me, provider_said{});
  };
  sink.on_end = [me](llm::stream_end how) { caf::anon_send(me, provider_end{std::move(how)}); };
  auto started = s.node->models.start(caller_of(s), make_call(s), std::move(sink));
  s.pictures.clear();
  if (started) {
    s.provider = std::move(*started);
    return;
  }
  llm::stream_end refused;
  const auto& why = started.error();
  // Whoever could not be asked may be there the next time.
  refused.error = failure{
      std::string(why.code), why.rule.empty() ? why.detail : "rule " + why.rule + ": " + why.detail,
      why.code == codes::dependency_unavailable || why.code == codes::server_busy};
  refused.retry_after_ms = static_cast<std::uint32_t>(why.retry_after_s) * 1000;
  self->send(self, provider_end{std::move(refused)});
}

void begin(pointer self) {
  auto& s = self->state;
  s.asked_at = llm_stream_state::clock::now();
  s.offered = s.node->tools.offered(s.key.tenant);
  s.node->probe.llm_started();
  std::vector<attachment_ref> pictures;
  for (const auto& part : s.what.context.parts)
    pictures.insert(pictures.end(), part.pictures.begin(), part.pictures.end());
  if (pictures.empty()) return ask(self);
  const llm_stream_actor me = self;
  s.node->pictures.load(caller_of(s), std::move(pictures), [me](std::vector<loaded_picture> got) {
    caf::anon_send(me, pictures_loaded{std::move(got)});
  });
}

void take_said(pointer self) {
  auto& s = self->state;
  for (auto& piece : s.said->take()) {
    if (s.first_token_ms == 0) {
      s.first_token_ms = std::max<std::uint64_t>(1, ms_since(s.asked_at));
      s.node->probe.first_token(static_cast<double>(s.first_token_ms) / 1000);
    }
    if (s.gathered_thinking != piece.thinking) flush(self);
    s.gathered_thinking = piece.thinking;
    if (s.gathered.empty())
      s.gathered = std::move(piece.text);
    else
      s.gathered += piece.text;
  }
}

// While a piece is on its way or has its time, only what is too much for one more is heard of.
std::size_t heard_from(const llm_stream_state& s) {
  if (s.uncommitted == 0 && !s.flush_queued) return 1;
  const auto& limits = s.node->limits;
  const auto room = [&](std::size_t most, std::size_t used) {
    return used < most ? most - used : limits.piece_bytes_max;
  };
  return std::min(room(limits.piece_bytes_max, s.gathered.size()),
                  room(limits.uncommitted_bytes + 1, s.uncommitted + s.gathered.size()));
}

void on_said(pointer self) {
  auto& s = self->state;
  do {
    take_said(self);
    flush_when_due(self);
    pause_when_full(self);
  } while (!s.said->tell_from(heard_from(s)));
}

void on_end(pointer self, provider_end& end) {
  auto& s = self->state;
  take_said(self);
  if (s.gathered.size() > s.node->limits.piece_bytes_max) flush(self);
  const auto& how = end.how;
  if (how.error) {
    s.node->probe.llm_failed(how.error->code);
    input::llm_failed failed;
    failed.invocation_id = s.what.invocation_id;
    failed.what = *how.error;
    failed.last_text = std::move(s.gathered);
    failed.last_thinking = s.gathered_thinking;
    failed.prefix_refused = how.prefix_refused;
    if (how.model.empty() || how.model == s.model->profile.model)
      failed.context_window = how.context_window;
    failed.retry_after_ms = how.retry_after_ms;
    failed.latency_ms = ms_since(s.asked_at);
    failed.first_token_ms = s.first_token_ms;
    self->send(s.session, stream_failed{std::move(failed)});
  } else {
    input::llm_done done;
    done.invocation_id = s.what.invocation_id;
    done.finish_reason = how.finish_reason;
    done.last_text = std::move(s.gathered);
    done.last_thinking = s.gathered_thinking;
    done.tool_calls = how.tool_calls;
    for (auto& asked : done.tool_calls) asked.tool_id = tool_id_of(s, std::move(asked.tool_id));
    done.usage = how.usage;
    // The log names the profile's provider; what a fallback's wants back is of no use to it.
    if (how.provider.empty() || how.provider == s.model->profile.provider)
      done.provider_state_json = how.provider_state_json;
    done.latency_ms = ms_since(s.asked_at);
    done.first_token_ms = s.first_token_ms;
    self->send(s.session, stream_done{std::move(done)});
  }
  self->quit();
}

}  // namespace

bool said_pieces::add(std::string text, bool thinking) {
  const std::lock_guard lock(mutex_);
  bytes_ += text.size();
  if (!pieces_.empty() && pieces_.back().thinking == thinking)
    pieces_.back().text += text;
  else
    pieces_.push_back({std::move(text), thinking});
  if (bytes_ < tell_from_) return false;
  tell_from_ = never;
  return true;
}

std::vector<said_pieces::piece> said_pieces::take() {
  const std::lock_guard lock(mutex_);
  bytes_ = 0;
  tell_from_ = never;
  return std::exchange(pieces_, {});
}

bool said_pieces::tell_from(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes_ >= bytes) return false;
  tell_from_ = bytes;
  return true;
}

llm_stream_actor::behavior_type llm_stream(pointer self, node_services* node, session_actor session,
                                           session_key key, action::start_llm what,
                                           std::shared_ptr<const model_settings> model) {
  auto& s = self->state;
  s.node = node;
  s.session = std::move(session);
  s.key = std::move(key);
  s.what = std::move(what);
  s.model = std::move(model);
  if (s.what.delay_ms > 0)
    self->delayed_send(self, std::chrono::milliseconds(s.what.delay_ms), begin_stream{});
  else
    self->send(self, begin_stream{});
  return {
      [self](const begin_stream&) { begin(self); },
      [self](pictures_loaded& loaded) {
        self->state.pictures = std::move(loaded.pictures);
        ask(self);
      },
      [self](const provider_said&) { on_said(self); },
      [self](provider_end& end) { on_end(self, end); },
      [self](const flush_pieces&) {
        self->state.flush_queued = false;
        on_said(self);
      },
      [self](const made_durable& done) {
        auto& s = self->state;
        s.uncommitted -= std::min(s.uncommitted, done.bytes);
        if (s.uncommitted == 0) s.last_took = llm_stream_state::clock::now() - s.last_flush;
        on_said(self);
        if (s.reading || s.uncommitted + s.gathered.size() > s.node->limits.uncommitted_bytes / 2)
          return;
        s.reading = true;
        if (s.provider) s.provider->resume();
      },
  };
}

}  // namespace soma::actors
