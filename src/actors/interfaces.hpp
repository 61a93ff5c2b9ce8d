// The actors' interfaces: every message and who answers it. All are in-process: what a message
// holds is moved, never serialized. The actors know nothing of HTTP.
//
// Answers carry a `result` of ours rather than a caf::error, so that a code and a detail survive; a
// caf::error in an answer means that the actor itself is gone (converted where it is asked: by its
// tenant, or by app/actor_bridge).
#pragma once

#include <atomic>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>
#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/session_core.hpp"
#include "core/session_snapshot.hpp"
#include "llm/llm_client.hpp"
#include "memory/recall.hpp"
#include "storage/event_log.hpp"
#include "tools/tool_runner.hpp"

namespace soma::actors {

// ---- event_writer ----

// Bytes that wait for the disk, counted as long as this lives: until the append is committed, or
// the request is dropped on its way.
class queued_bytes {
 public:
  queued_bytes(std::atomic<std::size_t>& count, std::size_t bytes) : count_(count), bytes_(bytes) {
    count_.fetch_add(bytes_, std::memory_order_relaxed);
  }
  ~queued_bytes() { count_.fetch_sub(bytes_, std::memory_order_relaxed); }
  queued_bytes(const queued_bytes&) = delete;
  queued_bytes& operator=(const queued_bytes&) = delete;

 private:
  std::atomic<std::size_t>& count_;
  const std::size_t bytes_;
};

// One append; the answer comes after the fsync, the readers' feed has been published before it.
// Made by append_of (event_writer.hpp).
struct append_request {
  storage::append_op op;
  std::shared_ptr<const queued_bytes> queued;
};
// The outcomes are not to be made from an error by accident: result<append_outcome> must stay
// unambiguous.
struct append_outcome {
  append_outcome() = default;
  template <std::same_as<result<std::uint64_t>> Result>
  explicit append_outcome(Result h) : head(std::move(h)) {}
  result<std::uint64_t> head = std::uint64_t{0};
};
// Anything else that writes to the store, behind the appends that were asked for before: of one
// session, or of all. On the writer's thread between batches; where the log answers later, on one
// that may wait for it.
struct storage_job {
  std::function<result<void>(storage::event_log&)> run;
  std::optional<session_key> of{};
};
struct storage_outcome {
  storage_outcome() = default;
  template <std::same_as<result<void>> Result>
  explicit storage_outcome(Result d) : done(std::move(d)) {}
  result<void> done = result<void>();
};
struct flush_batch {};  // the writer to itself: everything queued before is in the batch
struct housekeeping {};

using event_writer_actor =
    caf::typed_actor<caf::replies_to<append_request>::with<append_outcome>,
                     caf::replies_to<storage_job>::with<storage_outcome>,
                     caf::reacts_to<flush_batch>, caf::reacts_to<housekeeping>>;

// Carries jobs out in the writer's stead, where they may wait for long.
using job_runner_actor = caf::typed_actor<caf::replies_to<storage_job>::with<storage_outcome>>;

// ---- log_reader: blocking reads for actors, on a thread of its own ----

struct load_request {
  session_key key;
};
struct loaded_session {
  std::shared_ptr<session_state> state;  // folded; seq 0 when there is no such session
  snapshot_pace pace;                    // since the snapshot that it was folded from
  std::optional<error> failed;
};
// To itself: the next piece of what is being read.
struct read_on {};
using log_reader_actor =
    caf::typed_actor<caf::replies_to<load_request>::with<loaded_session>, caf::reacts_to<read_on>>;

// ---- session ----

struct session_command {
  session_key key;
  input::commanded what;        // its token is the session's own to set
  std::string idempotency_key;  // scope and key as the store keeps them; empty: none
  std::string request_hash;
};
struct command_outcome {
  command_outcome() = default;
  template <std::same_as<result<command_reply>> Result>
  explicit command_outcome(Result r) : reply(std::move(r)) {}
  result<command_reply> reply = command_reply{};
};
// Answers once the session is folded and its unfinished work is taken up again.
struct activate_request {
  session_key key;
};
struct activated {
  bool busy = false;
};
struct context_request {
  session_key key;
};
struct context_outcome {
  context_outcome() = default;
  template <std::same_as<result<model_context>> Result>
  explicit context_outcome(Result r) : context(std::move(r)) {}
  result<model_context> context = model_context{};
};
// Ends what runs and folds the session anew; lifts a quarantine.
struct restart_request {
  session_key key;
  origin from;
};

struct stream_piece {  // llm_stream → session
  input::llm_piece piece;
};
struct stream_done {
  input::llm_done done;
};
struct stream_failed {
  input::llm_failed failed;
};
struct tool_said {  // tool_call → session
  input::tool_output output;
};
struct tool_ended {
  input::tool_done done;
};
struct turn_deadline {  // tenant → session; only the newest serial counts
  std::string turn_id;
  std::uint64_t serial = 0;
};
struct memory_answered {  // from wherever memory was looked through; only the newest serial counts
  std::uint64_t serial = 0;
  result<memory::recall_answer> answer = memory::recall_answer{};
};
struct memory_late {  // the session to itself
  std::uint64_t serial = 0;
};
struct idle_check {};       // tenant → session, every session.idle_s
struct may_leave {};        // tenant → session: nothing more was routed to you
struct end_incarnation {};  // tenant → session: shutdown or restart
// Down from the runtime: what this node owns is another since; who was begun under another claim
// than there is now ends.
struct ownership_changed {};

using session_actor = caf::typed_actor<
    caf::replies_to<session_command>::with<command_outcome>,
    caf::replies_to<activate_request>::with<activated>,
    caf::replies_to<context_request>::with<context_outcome>, caf::reacts_to<stream_piece>,
    caf::reacts_to<stream_done>, caf::reacts_to<stream_failed>, caf::reacts_to<tool_said>,
    caf::reacts_to<tool_ended>, caf::reacts_to<turn_deadline>, caf::reacts_to<memory_answered>,
    caf::reacts_to<memory_late>, caf::reacts_to<idle_check>, caf::reacts_to<may_leave>,
    caf::reacts_to<end_incarnation>, caf::reacts_to<ownership_changed>>;

// ---- tenant: the only one that routes to its sessions, and their supervisor ----

struct wants_to_leave {  // session → tenant, answered with may_leave
  session_id session;
};
struct stays {  // session → tenant: work came in meanwhile
  session_id session;
};
struct session_failed {  // session → tenant, before it ends by an error
  session_id session;
  std::string code, detail;
};
struct turn_begun {  // session → tenant, which keeps the time: one timer for all of its sessions
  session_id session;
  turn_deadline due;
  std::uint32_t after_s = 0;
};
struct turn_over {  // session → tenant: its deadline is no more
  session_id session;
};
struct timers_due {  // the tenant to itself, when the first of its timers is due
  std::chrono::steady_clock::time_point due;
};
struct restart_due {  // the tenant to itself
  session_id session;
};
struct shut_down {};
struct all_ended {};

using tenant_actor = caf::typed_actor<
    caf::replies_to<session_command>::with<command_outcome>,
    caf::replies_to<activate_request>::with<activated>,
    caf::replies_to<context_request>::with<context_outcome>,
    caf::replies_to<restart_request>::with<command_outcome>, caf::reacts_to<wants_to_leave>,
    caf::reacts_to<stays>, caf::reacts_to<session_failed>, caf::reacts_to<restart_due>,
    caf::reacts_to<turn_begun>, caf::reacts_to<turn_over>, caf::reacts_to<timers_due>,
    caf::reacts_to<ownership_changed>, caf::replies_to<shut_down>::with<all_ended>>;

// ---- tenant_registry ----

struct tenant_request {
  tenant_id tenant;
};
struct tenant_found {
  tenant_actor tenant;
};
using tenant_registry_actor = caf::typed_actor<caf::replies_to<tenant_request>::with<tenant_found>,
                                               caf::reacts_to<ownership_changed>,
                                               caf::replies_to<shut_down>::with<all_ended>>;

// ---- llm_stream ----

struct provider_said {};  // from the client's io thread: as much as was waited for
struct begin_stream {};
struct loaded_picture {
  std::string attachment_id;
  llm::picture what;
};
struct pictures_loaded {  // from a thread that reads files
  std::vector<loaded_picture> pictures;
};
struct flush_pieces {};
struct made_durable {  // session → llm_stream: bytes it need not wait for any more
  std::size_t bytes = 0;
};
struct provider_end {
  llm::stream_end how;
};
using llm_stream_actor =
    caf::typed_actor<caf::reacts_to<begin_stream>, caf::reacts_to<provider_said>,
                     caf::reacts_to<provider_end>, caf::reacts_to<flush_pieces>,
                     caf::reacts_to<pictures_loaded>, caf::reacts_to<made_durable>>;

// ---- tool_call ----

struct tool_outcome_message {  // from wherever the tool ran
  tools::tool_outcome outcome;
};
struct tool_text {
  std::string stream, text;
};
using tool_call_actor =
    caf::typed_actor<caf::reacts_to<tool_text>, caf::reacts_to<tool_outcome_message>>;

}  // namespace soma::actors

#define SOMA_LOCAL_MESSAGE(name) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(soma::actors::name)
SOMA_LOCAL_MESSAGE(append_request)
SOMA_LOCAL_MESSAGE(append_outcome)
SOMA_LOCAL_MESSAGE(storage_job)
SOMA_LOCAL_MESSAGE(storage_outcome)
SOMA_LOCAL_MESSAGE(flush_batch)
SOMA_LOCAL_MESSAGE(housekeeping)
SOMA_LOCAL_MESSAGE(load_request)
SOMA_LOCAL_MESSAGE(loaded_session)
SOMA_LOCAL_MESSAGE(read_on)
SOMA_LOCAL_MESSAGE(session_command)
SOMA_LOCAL_MESSAGE(command_outcome)
SOMA_LOCAL_MESSAGE(activate_request)
SOMA_LOCAL_MESSAGE(activated)
SOMA_LOCAL_MESSAGE(context_request)
SOMA_LOCAL_MESSAGE(context_outcome)
SOMA_LOCAL_MESSAGE(restart_request)
SOMA_LOCAL_MESSAGE(stream_piece)
SOMA_LOCAL_MESSAGE(stream_done)
SOMA_LOCAL_MESSAGE(stream_failed)
SOMA_LOCAL_MESSAGE(tool_said)
SOMA_LOCAL_MESSAGE(tool_ended)
SOMA_LOCAL_MESSAGE(turn_deadline)
SOMA_LOCAL_MESSAGE(memory_answered)
SOMA_LOCAL_MESSAGE(memory_late)
SOMA_LOCAL_MESSAGE(idle_check)
SOMA_LOCAL_MESSAGE(may_leave)
SOMA_LOCAL_MESSAGE(end_incarnation)
SOMA_LOCAL_MESSAGE(ownership_changed)
SOMA_LOCAL_MESSAGE(wants_to_leave)
SOMA_LOCAL_MESSAGE(stays)
SOMA_LOCAL_MESSAGE(session_failed)
SOMA_LOCAL_MESSAGE(restart_due)
SOMA_LOCAL_MESSAGE(turn_begun)
SOMA_LOCAL_MESSAGE(turn_over)
SOMA_LOCAL_MESSAGE(timers_due)
SOMA_LOCAL_MESSAGE(shut_down)
SOMA_LOCAL_MESSAGE(all_ended)
SOMA_LOCAL_MESSAGE(tenant_request)
SOMA_LOCAL_MESSAGE(tenant_found)
SOMA_LOCAL_MESSAGE(provider_said)
SOMA_LOCAL_MESSAGE(provider_end)
SOMA_LOCAL_MESSAGE(tool_outcome_message)
SOMA_LOCAL_MESSAGE(tool_text)
SOMA_LOCAL_MESSAGE(begin_stream)
SOMA_LOCAL_MESSAGE(pictures_loaded)
SOMA_LOCAL_MESSAGE(flush_pieces)
SOMA_LOCAL_MESSAGE(made_durable)
